"""The paired t-test and Holm's correction against hand-computed values and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from objbench.judge.statistics.multiple_tests import holm, paired_p_values


def test_p_value_by_hand():
    # Mean 2, s = 1, t = 2 * sqrt(3) on 2 degrees of freedom: F(t) = 1/2 + t / (2 sqrt(2 + t^2)).
    t = 2 * np.sqrt(3)
    expected = 1 - t / np.sqrt(2 + t**2)
    assert paired_p_values(np.array([1.0, 2.0, 3.0])) == pytest.approx(expected)


def test_p_values_of_many_rows():
    values = np.random.Generator(np.random.Philox(1)).normal(0.3, size=(4, 5, 7))
    np.testing.assert_allclose(paired_p_values(values), ttest_1samp(values, 0.0, axis=-1).pvalue)


def test_differences_that_do_not_vary():
    found = paired_p_values(np.array([[0.0] * 3, [0.25] * 3, [-0.25] * 3, [-1.0, 0.0, 1.0]]))
    assert found.tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("runs", [1, 2])
def test_no_test_below_three_runs(runs):
    assert paired_p_values(np.ones((4, runs))) is None


def test_missing_differences_are_refused():
    with pytest.raises(ValueError, match="finite"):
        paired_p_values(np.array([1.0, 2.0, np.nan]))


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, and no smaller than the one before.
    found = holm(np.array([0.03, 0.01, 0.04, 0.02]))
    assert found == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert holm(np.empty(0)).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_what_stepping_down_rejects(values, level):
    p_values = np.array(values)
    rejected = set()
    for step, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] * (len(values) - step) > level:
            break
        rejected.add(int(index))
    assert set(np.flatnonzero(holm(p_values) <= level)) == rejected


@pytest.mark.parametrize("values", [[0.1, np.nan], [-0.1], [1.1], [[0.1]]])
def test_what_is_no_row_of_p_values_is_refused(values):
    with pytest.raises(ValueError, match="p-values"):
        holm(np.array(values))


def test_the_chance_of_any_wrong_call_is_held():
    """Six comparisons without a difference, four seeds: a wrong call in at most 5% of tables."""
    values = np.random.Generator(np.random.Philox(2)).normal(size=(2000, 6, 4))
    smallest = [holm(row).min() for row in paired_p_values(values)]
    assert 0.03 < np.mean(np.array(smallest) <= 0.05) < 0.065
