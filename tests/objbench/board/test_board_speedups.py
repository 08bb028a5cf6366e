"""Speedups over seeds: means, targets not reached, and axes that disagree."""

import pytest

from objbench.board.speedups import axes_sentence, axis_words, speedups
from objbench.records import CurveEntry
from objbench.standing import join


def table_of(study):
    standing = join(study.plan, study.records.values())
    return speedups(standing, standing.curve_suites[0])


def unreached(study, seed, *axes):
    cell_id = f"convergence.taco.seed-{seed}"
    values = dict(study.records[cell_id].values)
    for axis in axes:
        values[f"speedup_{axis}"] = CurveEntry(value=None, note="not reached")
    study.change(cell_id, values=values)


def test_mean_and_range_by_hand(make_study):
    found = table_of(make_study())["taco", "speedup_steps"]
    assert found.mean == pytest.approx(2.05)
    assert found.text == "2.05x (2.00 to 2.10)"
    assert found.short == "2.05x"
    assert table_of(make_study())["mlm", "speedup_steps"].text == "1.00x"


def test_a_target_not_reached_is_never_dropped(make_study):
    study = make_study()
    unreached(study, 1, "steps")
    found = table_of(study)["taco", "speedup_steps"]
    assert found.mean is None
    assert found.text == "not reached (1 of 2 seeds); else 2.10x"
    assert found.short == "in 1 of 2 seeds"
    unreached(study, 2, "steps")
    found = table_of(study)["taco", "speedup_steps"]
    assert found.text == "not reached (2 of 2 seeds)"
    assert found.short == "not reached"


def test_no_interval_over_the_seeds_that_got_there(make_study):
    study = make_study(seeds=(1, 2, 3, 4))
    assert "±" in table_of(study)["taco", "speedup_steps"].text
    unreached(study, 1, "steps")
    text = table_of(study)["taco", "speedup_steps"].text
    assert text == "not reached (1 of 4 seeds); else 2.20x (2.10 to 2.30)"


def test_a_bound_is_shown_as_one_and_has_no_interval(make_study):
    study = make_study(seeds=(1, 2, 3))
    cell_id = "convergence.taco.seed-1"
    values = dict(study.records[cell_id].values)
    values["speedup_steps"] = CurveEntry(value=3.0, note="at least")
    study.change(cell_id, values=values)
    found = table_of(study)["taco", "speedup_steps"]
    assert found.mean is None
    assert found.text == "at least 2.43x (2.10 to 3.00)"
    assert found.short == "at least 2.43x"


def test_a_missing_record_is_a_dash(make_study):
    study = make_study()
    del study.records["convergence.taco.seed-1"]
    found = table_of(study)["taco", "speedup_flops"]
    assert (found.text, found.short, found.mean) == ("-", "-", None)


def test_one_seed_has_no_range(make_study):
    study = make_study(seeds=(1,))
    assert table_of(study)["taco", "speedup_steps"].text == "2.00x"
    unreached(study, 1, "steps")
    assert table_of(study)["taco", "speedup_steps"].text == "not reached"


def test_axes_that_disagree_are_said_in_words(make_study):
    study = make_study()
    standing = join(study.plan, study.records.values())
    assert axes_sentence(standing, standing.curve_suites[0]) == (
        "The order by speedup depends on the axis: taco, mlm by steps, tokens and FLOPs; "
        "mlm, taco by device seconds."
    )


def test_an_unreached_target_has_no_place_in_an_order(make_study):
    study = make_study()
    unreached(study, 1, "seconds")
    standing = join(study.plan, study.records.values())
    assert axes_sentence(standing, standing.curve_suites[0]) == ""


@pytest.mark.parametrize(
    ("column", "words"),
    [("flops", "FLOPs"), ("speedup_seconds", "device seconds"), ("area", "area")],
)
def test_columns_are_named_by_their_axis(column, words):
    assert axis_words(column) == words
