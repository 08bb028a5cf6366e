"""Gains by task and group, and averages with one left out, against values by hand."""

import math

import numpy as np
import pytest

from objbench.contract.suite import Average
from objbench.judge.statistics.estimate import paired_difference, within_run_mean
from objbench.judge.statistics.gain_by_task import (
    average,
    average_gain,
    contributions,
    group_means,
    leave_one_out,
    task_gains,
)
from objbench.judge.statistics.multiple_tests import holm, paired_p_values

# Three seeds, three columns, two fine-tuning seeds; run means of the gains are
#   1 4 0
#   2 4 3
#   3 4 -3
BASELINE = np.array(
    [[[50, 52], [60, 60], [70, 72]], [[55, 57], [61, 63], [71, 75]], [[40, 44], [59, 61], [80, 82]]]
).astype(np.float64)
GAINS = np.array([[1.0, 4.0, 0.0], [2.0, 4.0, 3.0], [3.0, 4.0, -3.0]])
# The fine-tuning seeds move apart in the candidate, which the mean of a run does not see.
CANDIDATE = BASELINE + GAINS[:, :, None] + np.array([-1.0, 1.0])
GROUPS = ((0,), (1, 2))


def test_gains_of_tasks_by_hand():
    found = task_gains(CANDIDATE, BASELINE)
    assert [task.gain.mean for task in found] == pytest.approx([2.0, 4.0, 0.0])
    assert found[0].gain.half_width == pytest.approx(4.302653 / math.sqrt(3.0), rel=1e-6)
    assert found[0].gain.runs == 3
    # Raw p-values .0742, 0 (never varies) and 1; only the second survives three questions.
    expected = holm(paired_p_values(GAINS.T))
    assert [task.p_value for task in found] == pytest.approx(list(expected), abs=1e-12)
    assert [task.significant for task in found] == [False, True, False]


def test_fine_tuning_seeds_are_averaged_first():
    found = task_gains(CANDIDATE, BASELINE)
    for column, task in enumerate(found):
        expected = paired_difference(
            within_run_mean(CANDIDATE)[:, column], within_run_mean(BASELINE)[:, column]
        )
        assert task.gain == expected
    more = np.repeat(CANDIDATE, 3, axis=2)
    assert [t.gain.mean for t in task_gains(more, BASELINE)] == pytest.approx([2.0, 4.0, 0.0])


def test_significance_is_corrected_over_the_tasks():
    gains = np.array([[1.0, 1.2, 0.9, 1.1], *np.zeros((9, 4))]).T
    gains[:, 1:] += np.random.Generator(np.random.Philox(1)).normal(size=(4, 9))
    zero = np.zeros((4, 10, 1))
    alone = task_gains(gains[:, :1, None] * 0.1 + 0.2, zero[:, :1])
    assert alone[0].significant
    weak = gains.copy()
    weak[:, 0] = [1.0, 2.0, 3.0, 2.5]
    assert task_gains(weak[:, :1, None], zero[:, :1])[0].significant
    assert not task_gains(weak[:, :, None], zero)[0].significant


@pytest.mark.parametrize("runs", [1, 2])
def test_nothing_is_significant_below_three_seeds(runs):
    for task in task_gains(CANDIDATE[:runs], BASELINE[:runs]):
        assert task.p_value is None and not task.significant
        assert task.gain.interval is None


# -- averages


def test_the_average_is_that_of_the_suite():
    names = ("a", "b", "c")
    suite = Average("mean of two", (("a",), ("b", "c")))
    for row in BASELINE[:, :, 0]:
        assert average(row, GROUPS) == suite.score(dict(zip(names, row, strict=True)))
    assert average(BASELINE, GROUPS, axis=1).shape == (3, 2)
    assert group_means(BASELINE, GROUPS, axis=1).shape == (3, 2, 2)


def test_the_parts_add_up_to_the_gain_of_the_average():
    whole = average_gain(CANDIDATE, BASELINE, GROUPS)
    # Groups gain 1 2 3 and 2 3.5 0.5; the average 1.5, 2.75, 1.75.
    assert (whole.least, whole.greatest, whole.mean) == pytest.approx((1.5, 2.75, 2.0))
    parts = contributions(CANDIDATE, BASELINE, GROUPS)
    assert [part.mean for part in parts] == pytest.approx([1.0, 1.0])
    assert sum(part.mean for part in parts) == pytest.approx(whole.mean)
    assert (parts[1].least, parts[1].greatest) == pytest.approx((0.25, 1.75))


def test_leaving_groups_out_by_hand():
    groups = ((0,), (1,), (2,))
    found = leave_one_out(CANDIDATE, BASELINE, groups)
    assert [e.mean for e in found] == pytest.approx([2.0, 1.0, 3.0])
    # Without the third: (1 + 4) / 2, (2 + 4) / 2, (3 + 4) / 2.
    assert (found[2].least, found[2].greatest) == pytest.approx((2.5, 3.5))
    assert found[2].half_width == pytest.approx(4.302653 * 0.5 / math.sqrt(3.0), rel=1e-6)
    for index in range(3):
        rest = tuple(group for number, group in enumerate(groups) if number != index)
        assert found[index] == average_gain(CANDIDATE, BASELINE, rest)


def test_a_missing_column_matters_only_in_a_group():
    holes = CANDIDATE.copy()
    holes[1, 2, 0] = np.nan
    assert average_gain(holes, BASELINE, ((0,), (1,))).mean == pytest.approx(3.0)
    for gains in (average_gain, contributions, leave_one_out):
        with pytest.raises(ValueError, match="finite"):
            gains(holes, BASELINE, GROUPS)
    with pytest.raises(ValueError, match="finite"):
        task_gains(holes, BASELINE)


# -- rejected


@pytest.mark.parametrize("groups", [(), ((0,), ()), ((0, 3),), ((-1,),)])
def test_groups_that_are_none_are_refused(groups):
    with pytest.raises(ValueError, match="group"):
        average_gain(CANDIDATE, BASELINE, groups)


def test_unpaired_scores_are_refused():
    for other in (BASELINE[:2], BASELINE[:, :2], BASELINE[:, :, 0]):
        with pytest.raises(ValueError, match="not paired"):
            task_gains(CANDIDATE, other)
    with pytest.raises(ValueError, match="nothing is left"):
        leave_one_out(CANDIDATE, BASELINE, ((0, 1, 2),))
