"""Columns of curve suites that are no meter: means, targets not reached, and what is missing."""

from dataclasses import replace

import pytest

from objbench.contract.meters import column_axis, unit
from objbench.contract.suite import CurveValue
from objbench.leaderboard.curve_values import curve_values, other_columns
from objbench.leaderboard.page import write_leaderboard
from objbench.results.study_results import join


def with_area(study):
    """The curve suite measures an area as well: 2.00 for taco at the first seed, 2.10 later."""
    glue, curve = study.plan.suites
    area = replace(curve.columns[0], name="area")
    curve = curve.model_copy(update={"columns": (*curve.columns, area)})
    study.plan = study.plan.model_copy(update={"suites": (glue, curve)})
    for cell in study.plan.cells:
        if cell.kind == "curve":
            values = study.records[cell.id].values
            study.change(cell.id, values={**values, "area": values["speedup_steps"]})
    return study


def values_of(study):
    results = join(study.plan, study.records.values())
    return curve_values(results, results.curve_suites[0])


def without(study, *seeds, note="not reached"):
    for seed in seeds:
        cell_id = f"convergence.taco.seed-{seed}"
        values = {**study.records[cell_id].values, "area": CurveValue(value=None, note=note)}
        study.change(cell_id, values=values)
    return study


def test_axes_are_left_to_the_judge(make_study):
    study = make_study()
    assert other_columns(study.plan.suites[1]) == ()
    assert values_of(study) == {}
    assert [c.name for c in other_columns(with_area(study).plan.suites[1])] == ["area"]


def test_mean_and_range_by_hand(make_study):
    assert values_of(with_area(make_study()))["area"]["taco"].text == "2.05 (seeds 2.00 to 2.10)"
    assert values_of(with_area(make_study()))["area"]["mlm"].text == "1.00"
    assert values_of(with_area(make_study(seeds=(1,))))["area"]["taco"].text == "2.00"


def test_a_seed_without_a_value_is_never_dropped(make_study):
    study = without(with_area(make_study()), 1)
    assert values_of(study)["area"]["taco"].text == "not reached (1 of 2 seeds); else 2.10"
    assert values_of(without(study, 2))["area"]["taco"].text == "not reached (2 of 2 seeds)"
    assert values_of(without(with_area(make_study(seeds=(1,))), 1))["area"]["taco"].text == (
        "not reached"
    )


def test_no_interval_over_the_seeds_that_got_there(make_study):
    study = with_area(make_study(seeds=(1, 2, 3, 4)))
    # 2.0, 2.1, 2.2 and 2.3: half-width 3.182446 * 0.1291 / 2.
    assert values_of(study)["area"]["taco"].text == "2.15 [1.94, 2.36]"
    text = values_of(without(study, 1))["area"]["taco"].text
    assert text == "not reached (1 of 4 seeds); else 2.20 (seeds 2.10 to 2.30)"


def test_a_missing_record_is_a_dash(make_study):
    study = with_area(make_study())
    del study.records["convergence.taco.seed-1"]
    assert values_of(study)["area"]["taco"].text == "-"


def test_they_have_a_table_of_their_own(make_study, tmp_path):
    run = with_area(make_study()).write(tmp_path / "run")
    page = write_leaderboard(run, tmp_path / "out").read_text()
    table = page.split("glue: other numbers of its curves</summary>")[1].split("</details>")[0]
    assert table.split()[:5] == ["|", "objective", "|", "area", "|"]
    assert "2.05 (seeds 2.00 to 2.10)" in table


@pytest.mark.parametrize(
    ("column", "axis"), [("flops", "flops"), ("speedup_seconds", "seconds"), ("area", None)]
)
def test_columns_are_known_by_their_axis(column, axis):
    assert column_axis(column) == axis


@pytest.mark.parametrize(
    ("axis", "largest", "found"),
    [
        ("steps", 9_999, (1.0, "optimizer steps")),
        ("steps", 12_000, (1e3, "optimizer steps (thousands)")),
        ("tokens", 2.4e7, (1e6, "tokens (millions)")),
        ("seconds", 299.0, (1.0, "device time (seconds)")),
        ("seconds", 3_600.0, (60.0, "device time (minutes)")),
        ("seconds", 11_000.0, (3600.0, "device time (hours)")),
        ("flops", 8.7e13, (1e12, "training FLOPs (\N{MULTIPLICATION SIGN}10¹²)")),
        ("flops", 500.0, (1.0, "training FLOPs")),
    ],
)
def test_units_of_the_pictures(axis, largest, found):
    assert unit(axis, largest) == found
