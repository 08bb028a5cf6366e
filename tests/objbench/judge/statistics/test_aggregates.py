"""Aggregates against values by hand, scipy's own, and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, trim_mean

from objbench.judge.statistics.aggregates import (
    improvement_interval,
    interquartile_mean,
    paired_improvement,
    pooled_interquartile_mean,
)

rows = st.lists(st.floats(-100, 100), min_size=1, max_size=12).map(np.array)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5.0], 5.0),
        ([1.0, 3.0], 2.0),
        # Three: a quarter of 60, all of 62, a quarter of 67, over 1.5.
        ([67.0, 60.0, 62.0], (0.25 * 60 + 62 + 0.25 * 67) / 1.5),
        # Four: the two in the middle.
        ([0.0, 10.0, 20.0, 1000.0], 15.0),
        # Five: 3/4 of the second and the fourth, all of the third, over 2.5.
        ([1.0, 2.0, 4.0, 8.0, 99.0], (0.75 * 2 + 4 + 0.75 * 8) / 2.5),
        # Six: half of the second and the fifth, over 3.
        ([1.0, 2.0, 4.0, 8.0, 16.0, 99.0], (0.5 * 2 + 4 + 8 + 0.5 * 16) / 3),
    ],
)
def test_interquartile_mean_by_hand(values, expected):
    assert interquartile_mean(np.array(values)) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(4, 3), (8, 8), (2, 2)])
def test_pooling_seeds_and_tasks_gives_the_aggregate_of_rliable(shape):
    """rliable/metrics.py at 72fc16c: trim_mean over all cells."""
    scores = np.random.Generator(np.random.Philox(1)).normal(size=shape)
    assert pooled_interquartile_mean(scores) == pytest.approx(trim_mean(scores, 0.25, axis=None))


@given(rows, st.floats(-50, 50), st.randoms())
def test_the_interquartile_mean_is_a_location(values, shift, random):
    found = float(interquartile_mean(values))
    assert values.min() - 1e-9 <= found <= values.max() + 1e-9
    assert interquartile_mean(values + shift) == pytest.approx(found + shift, abs=1e-9)
    assert interquartile_mean(-values) == pytest.approx(-found, abs=1e-9)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert interquartile_mean(np.array(shuffled)) == found
    # Continuous in the count too: every value twice changes nothing.
    assert interquartile_mean(np.repeat(values, 2)) == pytest.approx(found, abs=1e-9)


def test_leading_axes_are_kept():
    values = np.random.Generator(np.random.Philox(2)).normal(size=(3, 4, 5))
    found = interquartile_mean(values)
    assert found.shape == (3, 4)
    assert found[2, 1] == pytest.approx(interquartile_mean(values[2, 1]))
    assert pooled_interquartile_mean(values).shape == (3,)


# -- probability of improvement


def test_improvement_by_hand():
    candidate, baseline = np.array([2.0, 5.0, 3.0, 9.0]), np.array([1.0, 5.0, 4.0, 6.0])
    # Seeds: better, tie, worse, better.
    assert paired_improvement(candidate, baseline) == 2.5 / 4


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9))
def test_paired_improvement_against_counting(pairs):
    candidate, baseline = np.array(pairs, dtype=float).T
    expected = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
    assert paired_improvement(candidate, baseline) == pytest.approx(expected)
    assert paired_improvement(baseline, candidate) == pytest.approx(1 - expected)


@pytest.mark.parametrize(("wins", "runs"), [(3, 3), (0, 3), (2, 3), (5, 5), (7, 10)])
def test_the_exact_interval_without_ties(wins, runs):
    baseline = np.zeros(runs)
    candidate = np.where(np.arange(runs) < wins, 1.0, -1.0)
    expected = binomtest(wins, runs).proportion_ci(0.95, method="exact")
    found = improvement_interval(candidate, baseline)
    assert found == pytest.approx((expected.low, expected.high))


def test_three_wins_of_three_prove_little():
    low, high = improvement_interval(np.ones(3), np.zeros(3))
    assert (low, high) == (pytest.approx(0.025 ** (1 / 3)), 1.0)
    assert low < 0.5


def test_ties_widen_the_exact_interval_both_ways():
    candidate, baseline = np.array([1.0, 1.0, 0.0, -1.0]), np.zeros(4)
    low, _ = binomtest(2, 4).proportion_ci(0.95, method="exact")
    _, high = binomtest(3, 4).proportion_ci(0.95, method="exact")
    assert improvement_interval(candidate, baseline) == pytest.approx((low, high))
    assert improvement_interval(np.ones(5), np.ones(5)) == (0.0, 1.0)
    assert improvement_interval(np.ones(2), np.zeros(2)) is None


# -- rejected


@pytest.mark.parametrize("values", [np.empty(0), np.array([1.0, np.nan]), np.array(3.0)])
def test_missing_values_are_refused(values):
    with pytest.raises(ValueError, match="finite"):
        interquartile_mean(values)


def test_improvement_over_missing_or_unpaired_runs_is_refused():
    whole, missing = np.zeros(3), np.array([0.0, np.nan, 0.0])
    for improvement in (paired_improvement, improvement_interval):
        with pytest.raises(ValueError, match="finite"):
            improvement(whole, missing)
    with pytest.raises(ValueError, match="not paired"):
        paired_improvement(whole, np.zeros(4))
    with pytest.raises(ValueError, match="one row"):
        improvement_interval(np.zeros((2, 3)), np.zeros((2, 3)))
