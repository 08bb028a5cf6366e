"""Statistics over pretraining seeds against values worked out by hand."""

import math

import numpy as np
import pytest

from objbench.judge.statistics.estimate import (
    MIN_RUNS,
    estimate,
    paired_difference,
    t_interval,
    within_run_mean,
)


def test_mean_and_spread_by_hand():
    found = estimate(np.array([60.0, 62.0, 67.0]))
    assert found.mean == 63.0
    assert (found.least, found.greatest, found.runs) == (60.0, 67.0, 3)
    # Squared distances 9 + 1 + 16 = 26, over n - 1 = 2.
    assert found.deviation == pytest.approx(math.sqrt(13.0))
    # t(2, 0.975) = 4.302653, from a printed table.
    assert found.half_width == pytest.approx(4.302653 * math.sqrt(13.0 / 3.0), rel=1e-6)
    assert found.interval == pytest.approx((63.0 - found.half_width, 63.0 + found.half_width))


@pytest.mark.parametrize("runs", [1, 2])
def test_no_interval_below_three_runs(runs):
    found = estimate(np.arange(float(runs)))
    assert runs < MIN_RUNS
    assert found.half_width is None
    assert found.interval is None
    assert (found.deviation is None) == (runs == 1)


def test_finetuning_seeds_are_no_runs():
    # Two pretraining runs of three fine-tuning seeds each are two observations, not six.
    values = np.array([[1.0, 2.0, 3.0], [5.0, 6.0, 10.0]])
    found = estimate(within_run_mean(values))
    assert found.mean == 4.5
    assert (found.least, found.greatest, found.runs) == (2.0, 7.0, 2)
    assert found.interval is None


def test_a_missing_finetuning_seed_leaves_the_run_missing():
    means = within_run_mean(np.array([[1.0, np.nan], [3.0, 5.0]]))
    assert np.isnan(means[0])
    assert means[1] == 4.0
    assert np.isnan(within_run_mean(np.empty((2, 0)))).all()


def test_pairing_removes_what_the_seeds_share():
    baseline = np.array([50.0, 60.0, 70.0])
    found = paired_difference(baseline + np.array([1.0, 2.0, 3.0]), baseline)
    assert found.mean == 2.0
    assert found.deviation == pytest.approx(1.0)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3.0), rel=1e-6)


def test_equal_runs_have_an_interval_of_no_width():
    assert t_interval(np.full(5, 0.3))[1] == pytest.approx(0.0, abs=1e-12)


def test_the_interval_covers_as_often_as_it_says():
    draws = np.random.Generator(np.random.Philox(7)).normal(size=(4000, 3))
    mean, half = t_interval(draws)
    covered = abs(mean) <= half
    assert 0.94 < np.mean(covered) < 0.96


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_an_estimate_of_missing_values_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        estimate(np.array(values))


def test_unpaired_values_are_refused():
    with pytest.raises(ValueError, match="not paired"):
        paired_difference(np.zeros(2), np.zeros(3))
