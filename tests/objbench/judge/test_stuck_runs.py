"""Runs that are stuck: which they are, what they leave out of a verdict, and how that is said.

In the made-up study taco minus mlm is 2 points at the first seed and 1 more at every later one, and
a run that learnt ends at 3.0 nats, below the line of the left neighbour at 4.5.
"""

import numpy as np
import pytest

from objbench.judge.evidence import curve_evidence, gain_evidence
from objbench.judge.judgement import judge_claims
from objbench.judge.learning import (
    learning,
    learning_of,
    learnt_seeds,
    point_status,
    stuck_seeds,
    unknown_seeds,
)
from objbench.judge.obstacle_text import held_back_text
from objbench.judge.papers.claims import read_claims
from objbench.judge.score_source import Pair
from objbench.judge.stuck_share import stuck_share, stuck_text
from objbench.judge.verdict_sentence import sentence
from objbench.judge.verdict_text import detail_text
from objbench.results.training_points import CommonLoss

PAIR = Pair("taco", "mlm")
SEEDS = (1, 2, 3, 4, 5)
TACO = read_claims("taco-2022")
FLOORS = {"majority": 30, "untrained": 20}


def study_with(make_study, *, seeds=SEEDS, **stuck):
    study = make_study(seeds=seeds, floors=FLOORS)
    study.measure_learning(stuck)
    return study


def judged(study):
    speedup, gain = judge_claims(study.results(), [TACO])
    return speedup, gain


@pytest.mark.parametrize(
    ("of", "loss", "gain", "error", "status"),
    [
        ("masked", 4.49, 1.0, 0.1, "learnt"),
        ("masked", 4.5, 1.0, 0.1, "learnt"),  # at the line
        ("masked", 4.51, 1.0, 0.1, "stuck"),
        ("masked", 3.0, 0.3, 0.1, "stuck"),  # three errors are not more than three
        ("masked", 3.0, 0.31, 0.1, "learnt"),
        ("masked", 3.0, -1.0, 0.1, "stuck"),
        ("next", 4.4, 1.0, 0.1, "learnt"),
        ("next", 4.6, 1.0, 0.1, "stuck"),
        ("masked", 3.0, 1.0, None, "unknown"),  # of a single sequence
        # Nothing is counted for an objective's own loss: its order gain alone decides.
        ("own", 99.0, 1.0, 0.1, "learnt"),
        ("own", 0.1, 0.0, 0.1, "stuck"),
    ],
)
def test_a_run_has_learnt_below_the_bigram_line_and_by_order(
    make_study, of, loss, gain, error, status
):
    lines = study_with(make_study).lines
    common = CommonLoss(of=of, loss=loss, order_gain=gain, error=error, tokens=100)
    assert point_status(common, lines) == status


def test_nothing_is_known_without_a_common_loss_or_lines(make_study):
    lines = study_with(make_study).lines
    masked = CommonLoss(of="masked", loss=3.0, order_gain=1.0, error=0.1, tokens=100)
    assert point_status(None, lines) == "unknown"
    assert point_status(masked, None) == "unknown"
    bare = lines.model_copy(update={"lines": {"next": lines.lines["next"]}})
    assert point_status(masked, bare) == "unknown"
    assert learning_of([], lines).status == "unknown"


def test_the_final_point_decides_and_the_plateau_is_left_once(make_study):
    study = study_with(make_study, mlm=(2,))
    results = study.results()
    # 6 - 3 * share is below 4.5 from the second of three points on, at 800 of 1,200 steps.
    found = learning(results, "mlm")
    assert {seed: (run.status, run.left_at) for seed, run in found.items()} == {
        1: ("learnt", 800),
        2: ("stuck", None),
        3: ("learnt", 800),
        4: ("learnt", 800),
        5: ("learnt", 800),
    }
    assert (learnt_seeds(results, "mlm"), stuck_seeds(results, "mlm")) == ((1, 3, 4, 5), (2,))
    # Off the plateau and back on it is stuck.
    run = study.records["mlm.seed-1"]
    back = list(run.points)
    back[-1] = back[-1].model_copy(update={"common": study.records["mlm.seed-2"].points[0].common})
    fallen = learning_of(back, study.lines)
    assert (fallen.status, fallen.left_at) == ("stuck", None)


def test_pairs_with_a_stuck_side_are_left_out_and_named(make_study):
    results = study_with(make_study, mlm=(2, 4), taco=(4, 5)).results()
    gain = gain_evidence(results, PAIR, "glue")
    assert gain.seeds == (1, 3)
    assert gain.differences == pytest.approx([2.0, 4.0])
    assert [(gone.seed, gone.why, gone.stuck, gone.diverged) for gone in gain.left_out] == [
        (2, "mlm is stuck", True, False),
        (4, "mlm and taco are stuck", True, False),
        (5, "taco is stuck", True, False),
    ]
    curves = curve_evidence(results, PAIR, "heldout:mlm")
    assert curves.seeds == (1, 3)
    assert len(curves.curves["steps"][0].scores) == 2


def test_a_missing_evaluation_is_named_before_a_stuck_run(make_study):
    study = study_with(make_study, mlm=(2,))
    del study.records["glue.cola.mlm.seed-2.3of3.ft-1"]
    (gone,) = gain_evidence(study.results(), PAIR, "glue").left_out
    assert (gone.why, gone.stuck) == ("1 evaluation of mlm has not run yet", False)


def test_a_verdict_is_among_runs_that_learnt(make_study):
    speedup, gain = judged(study_with(make_study, mlm=(2,)))
    # 2, 4, 5 and 6 points: 4.25 -+ t(3, 0.975) * 1.708 / 2.
    half = 3.182446 * np.std([2, 4, 5, 6], ddof=1) / 2
    assert gain.finding.low.value == pytest.approx(4.25 - half, abs=1e-5)
    assert (gain.verdict, gain.held_back) == ("confirmed", ())
    assert speedup.verdict == "refuted"
    for item in (speedup, gain):
        assert "95% interval over 4 of 5 seeds (stuck: 2), up to" in sentence(item)
        # Clopper-Pearson, two-sided; for none of five 1 - 0.025^(1/5).
        assert (
            "among runs that learnt (stuck: mlm 1 of 5 [1%, 72%] and taco 0 of 5 [0%, 52%])"
            in sentence(item)
        )
        assert "- Left out: seed 2: mlm is stuck." in detail_text(item)


def test_the_share_of_stuck_runs_is_said_where_it_is_none(make_study):
    _, gain = judged(study_with(make_study))
    assert "over 5 seeds, " in sentence(gain)
    assert "(stuck: mlm 0 of 5 [0%, 52%] and taco 0 of 5 [0%, 52%])" in sentence(gain)


@pytest.mark.parametrize(
    ("mlm", "taco", "words"),
    [
        ((2, 3, 4, 5), (), "mlm learnt in 1 of 5 runs, so 1 pair is left; 3 are needed"),
        ((2, 3, 4), (), "mlm learnt in 2 of 5 runs, so 2 pairs are left; 3 are needed"),
        (SEEDS, (), "mlm learnt in 0 of 5 runs, so no pair is left; 3 are needed"),
        (
            (1, 2),
            (3,),
            "mlm learnt in 3 of 5 runs and taco learnt in 4 of 5 runs, so 2 pairs are left; 3 are",
        ),
    ],
)
def test_fewer_than_three_learnt_pairs_are_inconclusive(make_study, mlm, taco, words):
    for item in judged(study_with(make_study, mlm=mlm, taco=taco)):
        assert item.verdict == "inconclusive"
        assert words in held_back_text(item)
        assert "to settle it" not in sentence(item)
        assert f"stuck: mlm {len(mlm)} of 5" in sentence(item)


def test_what_is_not_known_to_have_learnt_is_shown_and_carries_no_verdict(make_study):
    study = make_study(seeds=SEEDS, floors=FLOORS)
    for item in judged(study):
        assert item.finding is not None
        assert item.verdict == "inconclusive"
        assert "whether the runs learnt was not measured: run the study again" in sentence(item)
        assert "among runs that learnt" not in sentence(item)
    assert unknown_seeds(study.results(), "mlm") == SEEDS
    # One run of which nothing is known is enough.
    study.measure_learning()
    last = study.records["taco.seed-3"].points
    study.change("taco.seed-3", points=[p.model_copy(update={"common": None}) for p in last])
    _, gain = judged(study)
    assert [held.obstacle for held in gain.held_back] == ["learning unknown"]
    assert "taco 0 of 4 [0%, 60%] and 1 run unknown" in sentence(gain)


def test_obstacles_are_said_together_the_most_basic_first(make_study):
    study = study_with(make_study, mlm=(2, 3, 4))
    study.change("taco.seed-5", status="diverged", reason="nan")
    study.give_steps("taco", 1100)
    for cell in study.plan.cells:
        if cell.kind == "evaluation" and (cell.objective, cell.seed) == ("taco", 5):
            del study.records[cell.id]
    _, gain = judged(study)
    assert [held.obstacle for held in gain.held_back] == ["unequal spend", "diverged", "few learnt"]


def test_a_share_is_of_the_runs_of_which_it_is_known(make_study):
    found = stuck_share(study_with(make_study, mlm=(2, 3, 4, 5)).results(), "mlm")
    assert (found.stuck.number, found.stuck.runs, found.unknown) == (4, 5, 0)
    assert (found.stuck.low, found.stuck.high) == pytest.approx((0.28358, 0.99495), abs=1e-5)
    assert stuck_text((found,)) == "mlm 4 of 5 [28%, 99%]"
    unknown = stuck_share(make_study(seeds=SEEDS).results(), "mlm")
    assert (unknown.stuck, unknown.unknown) == (None, 5)
    assert stuck_text((unknown,)) == ""
