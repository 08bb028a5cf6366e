"""The pictures: what a band shows, what is open, and that the same numbers give the same bytes."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from objbench.judge.statistics.speedup import Bound, SpeedupAt
from objbench.leaderboard.curve_pictures import picture_title
from objbench.leaderboard.curve_sources import (
    CurveSource,
    curve_sources,
    score_words,
    source_curves,
)
from objbench.leaderboard.pictures.convergence import convergence_picture
from objbench.leaderboard.pictures.drawing import (
    logarithmic_spend,
    look,
    ticks_within,
    within_panel,
)
from objbench.leaderboard.pictures.speedup import ClaimedSpeedup, band_edge, speedup_picture
from objbench.results.study_results import join

AXES = ("steps", "tokens", "flops", "seconds")


def standing_of(study):
    return join(study.plan, study.records.values())


def at(target, estimate, low=None, high=None):
    return SpeedupAt(target=target, spend=1.0, estimate=estimate, low=low, high=high)


def one_axis(*function):
    return {"taco": {"steps": function}}


def test_every_seed_is_a_thin_line_beside_the_mean(make_study):
    def lines(seeds):
        results = standing_of(make_study(seeds=seeds))
        curves = source_curves(results, curve_sources(results)[0])
        picture = convergence_picture(curves, list(curves), "mlm", "glue score").decode()
        return picture.count("stroke-width: 0.7"), picture.count("stroke-width: 2")

    # Two objectives in four panels.
    assert lines((1,)) == (0, 8)
    assert lines((1, 2, 3)) == (24, 8)


def test_the_title_names_study_scale_and_date(make_study, report_of):
    assert picture_title(report_of(make_study())) == (
        "made-up, 1.23M parameters and 2.46M tokens, 2 seeds, 2026-01-01"
    )


def test_held_out_terms_have_curves_where_two_objectives_have_them(make_study):
    results = standing_of(make_study())
    glue, loss = curve_sources(results)
    assert (glue.name, loss.name, loss.words) == ("glue", "heldout:mlm", "held-out mlm loss")
    assert (glue.stem, loss.stem) == ("glue", "heldout-mlm")
    curve = source_curves(results, loss)["taco"]
    # As measured: 4 and the share of the budget that is missing, 1 more at the second seed.
    assert curve.scores[:, 0] == pytest.approx([4 + 2 / 3, 4 + 1 / 3, 4.0])
    assert curve.scores[-1] == pytest.approx([4.0, 5.0])
    assert curve.shares == pytest.approx((1 / 3, 2 / 3, 1.0))
    assert curve.spend[:, 0, 0] == pytest.approx([300, 600, 900])
    assert source_curves(results, glue)["taco"].scores.shape == (3, 2)


def test_a_loss_on_rearranged_text_has_words_and_a_file_name(make_study):
    name = "heldout:mlm after sop"
    words = score_words(make_study().plan, name)
    source = CurveSource(name=name, words=words, suite=None, sign=-1.0)
    assert (source.words, source.stem) == ("held-out mlm after sop loss", "heldout-mlm-after-sop")


def test_a_suite_that_shares_its_name_with_study_or_text_says_what_it_is(make_study):
    plan = make_study().plan  # its text is "toy"
    assert score_words(plan, "glue") == "glue score"
    assert score_words(plan, "toy") == "toy suite score"
    assert score_words(plan.model_copy(update={"name": "glue"}), "glue") == "glue suite score"


def test_an_objective_without_the_term_has_no_curve_of_it(make_study):
    study = make_study(objectives=("mlm", "taco", "rtd"))
    for seed in (1, 2):
        points = study.records[f"rtd.seed-{seed}"].points
        bare = [point.model_copy(update={"heldout": {"loss": 0.3}}) for point in points]
        study.change(f"rtd.seed-{seed}", points=bare)
    results = standing_of(study)
    loss = curve_sources(results)[1]
    curves = source_curves(results, loss)
    assert curves["rtd"].whole == ()
    assert curves["taco"].whole == (0, 1, 2)


@pytest.mark.parametrize(
    ("schedule", "unfinished"), [("linear", "linear"), ("constant", "constant"), ("trunk", "")]
)
def test_only_a_trunk_finishes_every_point(make_study, schedule, unfinished):
    assert make_study(schedule=schedule).plan.training.unfinished == unfinished


def test_finished_points_look_otherwise(make_study):
    results = standing_of(make_study())
    curves = source_curves(results, curve_sources(results)[0])
    hollow = convergence_picture(curves, list(curves), "mlm", "glue score", is_finished=False)
    filled = convergence_picture(curves, list(curves), "mlm", "glue score", is_finished=True)
    assert hollow != filled
    assert hollow == convergence_picture(
        curves, list(curves), "mlm", "glue score", is_finished=False
    )


def test_the_speedup_picture_has_fixed_bytes(make_study, report_of):
    found = report_of(make_study(seeds=(1, 2, 3, 4), points=20)).curves[0].speedups
    drawn = {name: item.functions for name, item in found.items()}
    claims = [ClaimedSpeedup(objective="taco", axis="steps", value=5.0, words="claimed: up to 5x")]
    first, second = (
        speedup_picture(drawn, ("mlm", "taco"), "mlm", "mlm's glue score", claims=claims)
        for _ in range(2)
    )
    assert first == second
    assert b"<dc:date>" not in first
    without = speedup_picture(drawn, ("mlm", "taco"), "mlm", "mlm's glue score")
    assert without != first


def drawn(function):
    return speedup_picture(one_axis(*function), ("mlm", "taco"), "mlm", "score").decode()


def test_bounds_are_drawn_and_not_left_out():
    measured = drawn([at(1.0, Bound(2.0)), at(2.0, Bound(3.0))])
    bounds = drawn([at(1.0, Bound(2.0, "above")), at(2.0, Bound(3.0, "below"))])
    # A line has no marks; an upward and a downward triangle stand in its place.
    assert bounds.count("<use") == measured.count("<use") + 2


def test_an_open_end_runs_to_the_edge_of_the_panel():
    ends = [Bound(0.5), Bound(0.8, "below"), Bound(4.0, "above")]
    assert band_edge(ends, "below", 0.1).tolist() == [0.5, 0.1, 4.0]
    assert band_edge(ends, "above", 9.0).tolist() == [0.5, 0.8, 9.0]
    assert np.isnan(band_edge([None], "above", 9.0)).all()
    closed = [at(t, Bound(2.0), Bound(1.5), Bound(2.5)) for t in (1.0, 2.0)]
    opened = [at(t, Bound(2.0), Bound(1.5), Bound(2.5, "above")) for t in (1.0, 2.0)]
    assert drawn(closed) != drawn(opened)


def test_one_target_is_a_point_and_not_nothing():
    assert speedup_picture(one_axis(at(1.0, Bound(2.0))), ("mlm", "taco"), "mlm", "score")


def test_a_panel_without_a_line_says_why(monkeypatch):
    said = []
    monkeypatch.setattr(Axes, "text", lambda self, x, y, text, **_: said.append(text))
    functions = [at(1.0, Bound(2.0)), at(2.0, Bound(3.0))]
    everywhere = dict.fromkeys(("steps", "tokens", "flops", "seconds"), functions)
    clockless = {axis: own for axis, own in everywhere.items() if axis != "seconds"}

    def words(**found):
        said.clear()
        speedup_picture(found, ("mlm", *found), "mlm", "score")
        return [text for text in said if "not measured" in text]

    assert words(taco=everywhere) == []
    (all_of_them,) = words(taco=clockless)
    assert all_of_them == "not measured:\nthe seeds share no range of device seconds"
    (one,) = words(taco=clockless, span=everywhere)
    assert one == "not measured for taco:\nthe seeds share no range of device seconds"


def test_looks_go_by_the_plan():
    names = ("mlm", "taco", "rtd")
    looks = [look(name, names, "mlm") for name in names]
    assert len({item.colour for item in looks}) == 3
    assert len({item.marker for item in looks}) == 3
    assert [item.weight for item in looks] == ["normal", "bold", "bold"]


def test_no_two_of_nineteen_look_alike():
    names = ("mlm", *(f"other{number}" for number in range(18)))
    looks = [look(name, names, "mlm") for name in names]
    assert len({(item.colour, item.dashes) for item in looks}) == 19
    assert len({(item.colour, item.marker) for item in looks}) == 19


def test_ticks_are_1_2_and_5():
    assert ticks_within(0.3, 12.0) == pytest.approx([0.5, 1.0, 2.0, 5.0, 10.0])
    assert ticks_within(1.0, 1.0) == [1.0]
    assert ticks_within(80.0, 600.0) == pytest.approx([100.0, 200.0, 500.0])


def test_a_narrow_logarithmic_axis_has_ticks_at_other_digits():
    panel = Figure().subplots()
    logarithmic_spend(panel, 29.0, 49.0)
    assert panel.get_xticks() == pytest.approx([30.0, 40.0, 50.0])
    logarithmic_spend(panel, 1.0, 12.0)
    assert panel.get_xticks() == pytest.approx([1.0, 2.0, 5.0, 10.0])


def test_names_stay_below_the_title():
    assert within_panel([1.2, 1.1, 0.3], 0.1) == [1.0, 0.9, 0.3]
