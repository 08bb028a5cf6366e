"""Scores that are the same numbers summed in another order: a tie wherever scores are compared.

Each score is a sum of many numbers, once forwards and once backwards, so that the two sides differ
in their last digits in the same direction at every seed: the case that had p = 0.
"""

import numpy as np
import pytest

from objbench.judge.statistics.aggregates import improvement_interval, paired_improvement
from objbench.judge.statistics.bootstrap import bootstrap_interval
from objbench.judge.statistics.estimate import paired_difference
from objbench.judge.statistics.gain_by_task import average_gain, leave_one_out, task_gains
from objbench.judge.statistics.multiple_tests import paired_p_values
from objbench.judge.statistics.power import SETTLED
from objbench.judge.statistics.ranks import rank_objectives
from objbench.judge.statistics.seed_curves import SeedCurves, pooled
from objbench.judge.statistics.speedup import speedup_at, speedup_function
from objbench.judge.statistics.ties import (
    SAME_SCORE,
    difference,
    leveled,
    mean_without_rounding,
)
from objbench.judge.verdict import judge_gain, judge_speedup

UP = np.nextafter(np.array([70.3, 71.9, 69.1, 72.7]), np.inf)
SCORES = np.array([70.3, 71.9, 69.1, 72.7])
SPEND = np.tile(np.arange(1.0, 6.0), (4, 1))


@pytest.fixture(scope="module")
def summed():
    """(2, 4): the same four scores, each the mean of 1,000 numbers, in two orders."""
    parts = np.random.default_rng(0).uniform(60, 80, (4, 1000))
    orders = [parts, np.sort(parts, axis=1)]
    return np.array([[sum(row.tolist()) / 1000 for row in order] for order in orders])


def test_the_example_does_differ_in_its_last_digits(summed):
    assert np.all(summed[0] != summed[1])
    assert np.all(UP > SCORES)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_tie_has_no_gain_and_no_p_value(summed, sign):
    for one, other in ((summed[0], summed[1]), (UP, SCORES)):
        gain = paired_difference(sign * one, sign * other)
        assert gain.mean == 0 and gain.interval == (0, 0)
        assert paired_p_values(difference(one, other)) == 1.0
        assert paired_improvement(sign * one, sign * other) == 0.5
        assert improvement_interval(one, other) == (0.0, 1.0)


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_tie_is_one_group_one_rank_and_in_the_order_given(summed, direction):
    for rows in (summed, summed[::-1], np.stack([UP, SCORES]), np.stack([SCORES, UP])):
        found = rank_objectives(rows, direction)
        assert found.letters == ("a", "a")
        assert found.intervals == ((1, 2), (1, 2))
        assert found.order == (0, 1)
        assert found.p_values is not None and found.p_values.min() == 1.0


def test_a_tie_is_no_gain_of_any_task():
    candidate, baseline = UP[:, None, None], SCORES[:, None, None]
    both = np.concatenate([candidate, candidate + 1], axis=1)
    other = np.concatenate([baseline, baseline + 1], axis=1)
    assert [task.p_value for task in task_gains(both, other)] == [1.0, 1.0]
    assert average_gain(both, other, [[0], [1]]).interval == (0, 0)


def test_gains_of_tasks_that_cancel_are_no_gain_of_the_average():
    # 0.1 + 0.2 - 0.3 is 5.6e-17 in doubles, at every seed.
    gains = np.array([0.1, 0.2, -0.3, 7.0])
    candidate, baseline = np.tile(gains, (4, 1))[..., None], np.zeros((4, 4, 1))
    assert sum(gains[:3].tolist()) != 0
    assert average_gain(candidate, baseline, [[0, 1, 2]]).interval == (0, 0)
    assert leave_one_out(candidate, baseline, [[0], [1], [2], [3]])[3].interval == (0, 0)


def test_a_tie_confirms_a_gain_of_nothing_and_is_neither_better_nor_worse():
    for one, other in ((UP, SCORES), (SCORES, UP)):
        found = judge_gain(difference(one, other), 0.0)
        assert (found.verdict, found.comparison) == ("confirmed", "unclear")
        assert found.more_seeds == SETTLED


def test_a_gain_of_exactly_what_is_claimed_is_not_refuted_by_rounding():
    # 70.3 + 0.1 - 70.3 is 0.0999999999999943.
    differences = (SCORES + 0.1) - SCORES
    assert np.any(differences < 0.1)
    assert judge_gain(differences, 0.1).verdict == "confirmed"


def test_a_curve_that_ends_on_its_target_reaches_it():
    rise = np.array([-5.0, -4.0, -3.0, -2.0, 0.0])
    baseline = SeedCurves(SPEND, SCORES[:, None] + rise)
    same = SeedCurves(SPEND, baseline.scores.copy())
    for scores in (np.nextafter(baseline.scores, 0), np.nextafter(baseline.scores, np.inf)):
        candidate = SeedCurves(SPEND, scores)
        found = speedup_at(baseline, candidate)
        assert (found.estimate.value, found.estimate.side) == (1.0, "")
        for claimed in (0.9, 1.0, 1.1):
            wanted = judge_speedup(baseline, same, claimed)
            assert judge_speedup(baseline, candidate, claimed) == wanted
        for item in speedup_function(baseline, candidate, points=5)[1:]:
            assert item.estimate.value == pytest.approx(1.0)


def test_gaps_that_cancel_reach_the_target():
    gaps = np.array([0.1, 0.2, -0.3, 0.0])
    flat = np.zeros((4, 5))
    baseline = SeedCurves(SPEND, flat)
    candidate = SeedCurves(SPEND, np.linspace(-1, 0, 5) + gaps[:, None])
    assert speedup_at(baseline, candidate).estimate.value == 1.0
    lower = SeedCurves(SPEND, np.linspace(-1, 0, 5) - gaps[:, None])
    assert speedup_at(baseline, lower).estimate.value == 1.0


def test_pooling_does_not_depend_on_rounding():
    # The mean is flat over two points; the seeds are not, and keep or lose their spread together.
    scores = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    wanted = pooled(SeedCurves(SPEND[:2, :3], scores)).scores
    for toward in (0.0, 9.0):
        moved = scores.copy()
        moved[:, 2] = np.nextafter(moved[:, 2], toward)
        assert np.allclose(pooled(SeedCurves(SPEND[:2, :3], moved)).scores, wanted, rtol=1e-12)


def test_the_interquartile_mean_of_ties_is_nothing():
    found = bootstrap_interval(
        lambda drawn: drawn.mean(axis=1), difference(UP, SCORES), np.random.default_rng(0), 100
    )
    assert found == (0, 0)


def test_a_difference_that_can_be_measured_is_kept_to_the_last_digit():
    step = SAME_SCORE * 80
    assert np.array_equal(difference(SCORES + 2 * step, SCORES), (SCORES + 2 * step) - SCORES)
    assert np.all(paired_difference(SCORES + 2 * step, SCORES).mean > 0)
    assert np.array_equal(difference(np.array([1e-6, 0.0]), np.zeros(2)), [1e-6, 0.0])


def test_missing_scores_stay_missing():
    found = difference(np.array([np.nan, 1.0]), np.array([1.0, 1.0]))
    assert np.isnan(found[0]) and found[1] == 0
    assert np.isnan(mean_without_rounding(np.array([np.nan, 1.0])))


def test_a_remainder_of_rounding_is_nothing_beside_the_other_seeds():
    assert np.array_equal(difference(np.array([5.6e-17, 3.0]), np.array([0.0, 2.0])), [0, 1])


def test_level_keeps_order_and_what_differs():
    values = np.array([3.0, 0.3, 0.1 + 0.2, -1.0, np.nextafter(3.0, 4)])
    assert leveled(values).tolist() == [3.0, 0.3, 0.3, -1.0, 3.0]
    assert leveled(np.array([])).size == 0
