"""Evidence from records: what counts, by hand on the made-up study, and what is left out and why.

In the made-up study taco minus mlm is 2 points at the first seed and 1 more at every later one, a
point costs 20 points times the share of the budget that is missing, and taco takes 900 steps to
mlm's 1,200 for the same FLOPs.
"""

from pathlib import Path

import numpy as np
import pytest

from objbench.errors import UnknownNameError
from objbench.judge.evidence import curve_evidence, gain_evidence
from objbench.judge.score_source import Pair, check_source, score_sources
from objbench.results.study_results import join, read_study_results

PAIR = Pair("taco", "mlm")
SEEDS = (1, 2, 3)
TINY = Path(__file__).parents[3] / "leaderboard" / "tiny"


def standing_of(study):
    return join(study.plan, study.records.values())


def without(study, **place):
    """Drop the evaluations at an objective, seed and share."""
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and all(getattr(cell, k) == v for k, v in place.items()):
            del study.records[cell.id]


def test_gains_are_paired_by_seed(make_study):
    found = gain_evidence(standing_of(make_study(seeds=SEEDS)), PAIR, "glue")
    assert found.seeds == SEEDS
    assert found.differences == pytest.approx([2.0, 3.0, 4.0])
    assert found.left_out == ()
    turned = gain_evidence(standing_of(make_study(seeds=SEEDS)), Pair("mlm", "taco"), "glue")
    assert turned.differences == pytest.approx([-2.0, -3.0, -4.0])


def test_a_score_that_is_better_when_low_is_turned(make_study):
    study = make_study(seeds=SEEDS)
    first, *others = study.plan.suites
    low = first.model_copy(update={"direction": "min"})
    study.plan = study.plan.model_copy(update={"suites": (low, *others)})
    found = gain_evidence(standing_of(study), PAIR, "glue")
    assert found.differences == pytest.approx([-2.0, -3.0, -4.0])


def test_curves_hold_every_point_on_every_axis(make_study):
    found = curve_evidence(standing_of(make_study(seeds=SEEDS)), PAIR, "glue")
    assert list(found.curves) == ["steps", "tokens", "flops", "seconds"]
    baseline, objective = found.curves["steps"]
    assert baseline.spend == pytest.approx(np.tile([400, 800, 1200], (3, 1)))
    assert objective.spend == pytest.approx(np.tile([300, 600, 900], (3, 1)))
    # The first fine-tuning seed alone scores a point less than the mean of the two.
    last = np.array([[48.0], [49.0], [50.0]])
    assert baseline.scores == pytest.approx(last - 20 * np.array([2 / 3, 1 / 3, 0]))
    assert objective.scores[:, -1] == pytest.approx([50.0, 52.0, 54.0])
    baseline, _ = found.curves["seconds"]
    assert baseline.spend[:, 0] == pytest.approx([26.0, 27.0, 28.0])  # 400 / 16 + seed


def test_held_out_loss_is_a_curve_and_negated(make_study):
    results = standing_of(make_study(seeds=SEEDS))
    assert score_sources(results, PAIR) == ("glue", "heldout:mlm")
    baseline, objective = curve_evidence(results, PAIR, "heldout:mlm").curves["flops"]
    loss = np.array([[4.0], [5.0], [6.0]]) + np.array([2 / 3, 1 / 3, 0])
    assert baseline.scores == pytest.approx(-loss)
    assert objective.scores == pytest.approx(-loss)
    assert gain_evidence(results, PAIR, "heldout:mlm").differences == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("source", ["heldout:tc", "heldout:loss", "heldout:", "glu", "convergence"])
def test_a_score_that_both_sides_do_not_have_is_refused(make_study, source):
    with pytest.raises(UnknownNameError, match=r"unknown score .*known: glue, heldout:mlm"):
        check_source(standing_of(make_study()), PAIR, source)


def test_a_term_that_one_point_lacks_is_no_score(make_study):
    study = make_study()
    points = study.records["mlm.seed-2"].points
    bare = points[0].model_copy(update={"heldout": {"loss": 4.0}})
    study.change("mlm.seed-2", points=[bare, *points[1:]])
    assert score_sources(standing_of(study), PAIR) == ("glue",)


def test_a_missing_evaluation_leaves_its_seed_out_on_both_sides(make_study):
    study = make_study(seeds=SEEDS)
    del study.records["glue.cola.mlm.seed-2.3of3.ft-1"]
    found = gain_evidence(standing_of(study), PAIR, "glue")
    assert found.seeds == (1, 3)
    assert found.differences == pytest.approx([2.0, 4.0])
    (gone,) = found.left_out
    assert (gone.seed, gone.why, gone.diverged) == (2, "1 evaluation of mlm has not run yet", False)
    # The curve rests on the first fine-tuning seed, which is there.
    assert curve_evidence(standing_of(study), PAIR, "glue").seeds == SEEDS


def test_a_missing_point_leaves_its_seed_out_of_the_curves_only(make_study):
    study = make_study(seeds=SEEDS)
    without(study, objective="taco", seed=1, share=1 / 3)
    assert gain_evidence(standing_of(study), PAIR, "glue").seeds == SEEDS
    found = curve_evidence(standing_of(study), PAIR, "glue")
    assert found.seeds == (2, 3)
    assert found.curves["steps"][0].scores.shape == (2, 3)
    assert found.left_out[0].why == "3 evaluations of taco have not run yet"


def test_failed_and_diverged_runs_are_told_apart(make_study):
    study = make_study(seeds=SEEDS)
    study.change("taco.seed-1", status="diverged", reason="nan", points=[])
    study.change("mlm.seed-2", status="failed", reason="out of memory", points=[])
    study.change("glue.mrpc.taco.seed-3.3of3.ft-0", status="diverged", reason="nan")
    for seed, objective in ((1, "taco"), (2, "mlm")):
        without(study, objective=objective, seed=seed)
    found = gain_evidence(standing_of(study), PAIR, "glue")
    assert found.seeds == ()
    assert found.differences.shape == (0,)
    assert [(gone.seed, gone.why, gone.diverged) for gone in found.left_out] == [
        (1, "taco's pretraining diverged", True),
        (2, "mlm's pretraining failed", False),
        (3, "1 evaluation of taco diverged", True),
    ]
    heldout = curve_evidence(standing_of(study), PAIR, "heldout:mlm")
    assert heldout.seeds == (3,)
    assert [gone.why for gone in heldout.left_out] == [
        "taco's pretraining diverged",
        "mlm's pretraining failed",
    ]


def test_both_sides_are_named_where_both_lack(make_study):
    study = make_study()
    for objective in ("mlm", "taco"):
        del study.records[f"{objective}.seed-2"]
    found = curve_evidence(standing_of(study), PAIR, "heldout:mlm")
    assert found.left_out[0].why == (
        "mlm's pretraining has not run yet and taco's pretraining has not run yet"
    )


def test_a_run_with_a_point_too_few_is_not_whole(make_study):
    study = make_study(seeds=SEEDS)
    study.change("mlm.seed-1", points=study.records["mlm.seed-1"].points[1:])
    found = curve_evidence(standing_of(study), PAIR, "heldout:mlm")
    assert found.seeds == (2, 3)
    assert "lack heldout:mlm" in found.left_out[0].why


def test_an_axis_that_was_not_measured_is_left_out(make_study):
    study = make_study(seeds=SEEDS)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and cell.objective == "taco":
            record = study.records[cell.id]
            study.change(cell.id, meters=record.meters.model_copy(update={"seconds": 0.0}))
    found = curve_evidence(standing_of(study), PAIR, "glue")
    assert list(found.curves) == ["steps", "tokens", "flops"]


def test_a_suite_that_no_curve_follows_has_final_scores_only(make_study):
    study = make_study()
    study.plan = study.plan.model_copy(update={"suites": study.plan.suites[:1]})
    results = standing_of(study)
    assert gain_evidence(results, PAIR, "glue").seeds == (1, 2)
    found = curve_evidence(results, PAIR, "glue")
    assert (found.seeds, found.curves) == ((), {})
    assert found.left_out[0].why == "glue was scored at the end of the budget only"


def test_the_first_real_study_has_both_kinds_of_evidence():
    results = read_study_results(TINY)
    assert score_sources(results, PAIR) == ("glue", "heldout:mlm")
    gain = gain_evidence(results, PAIR, "glue")
    assert gain.seeds == (0, 1)
    assert gain.differences.mean() == pytest.approx(-0.73, abs=0.01)  # as on its leaderboard
    baseline, objective = curve_evidence(results, PAIR, "heldout:mlm").curves["steps"]
    assert baseline.spend[0] == pytest.approx([2400, 4800, 7200, 9600, 12000])
    assert objective.scores[0, -1] == pytest.approx(-2.3042, abs=1e-4)
