"""One number for many: interquartile mean and probability of improvement.

Two aggregates of rliable (Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice"). Give the interquartile mean gains, not raw scores: across tasks of
different difficulty the middle half of the raw scores is the middle tasks, and the trimming would
remove tasks where it should remove runs.

The probability of improvement is paired here: P(the candidate is better at one seed), since at one
seed objectives share initial weights, documents and masks. rliable's compares all pairs of runs.
Ties (``ties.difference``) count half. Larger is better; negate errors and losses.

Shape legend: N values, S pretraining seeds, T tasks or columns.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.ties import difference


def interquartile_mean(values: FloatArray) -> FloatArray:
    """Mean of the middle half of the sorted values: the integral of the quantiles from 1/4 to 3/4.

    The k-th smallest, k = 0..N-1, weighs max(0, min(k + 1, 3N/4) - max(k, N/4)) / (N/2). Where 4
    divides N this is rliable's ``trim_mean(x, 0.25)``; elsewhere that cuts the whole number
    floor(N/4) from each end, nothing at all of three values, where this cuts N/4 exactly.

    Args:
        values: (..., N) float64, none missing.

    Returns:
        (...) float64.

    Raises:
        ValueError: there is no value, or one is missing.

    Example:
        >>> round(float(interquartile_mean(np.array([60.0, 62.0, 67.0]))), 2)  # (15 + 62 + 16.75) / 1.5
        62.5
    """
    _check(values)
    count = values.shape[-1]
    place = np.arange(count)
    weights = np.minimum(place + 1, 0.75 * count) - np.maximum(place, 0.25 * count)
    weights = np.maximum(weights, 0.0) / (0.5 * count)
    return np.asarray(np.sort(values, axis=-1) @ weights)


def pooled_interquartile_mean(values: FloatArray) -> FloatArray:
    """The interquartile mean of all seeds and tasks, as rliable pools them: (..., S, T) -> (...)."""
    return interquartile_mean(values.reshape(*values.shape[:-2], -1))


def paired_improvement(candidate: FloatArray, baseline: FloatArray) -> FloatArray:
    """Share of the seeds at which the candidate is better, plus half of those with a tie.

    Args:
        candidate, baseline: (..., S) float64; the same index is the same pretraining seed.

    Returns:
        (...) float64 in [0, 1]; 0.5 where neither is better.

    Raises:
        ValueError: the shapes differ, there is no seed, or a value is missing.
    """
    if candidate.shape != baseline.shape:
        raise ValueError(f"not paired by seed: {candidate.shape} against {baseline.shape}")
    _check(candidate, baseline)
    return np.asarray(np.mean((np.sign(difference(candidate, baseline)) + 1.0) / 2.0, axis=-1))


def improvement_interval(
    candidate: FloatArray, baseline: FloatArray, level: float = 0.95
) -> tuple[float, float] | None:
    """The exact interval of the paired probability of improvement (Clopper & Pearson 1934).

    Use it instead of a bootstrap, whose draws do not vary where the candidate wins at every seed,
    so that it would call the probability 1 for certain. A tie counts against the lower bound and
    for the upper one, so the interval covers at least ``level`` of the time.

    Args:
        candidate, baseline: (S,) float64; the same index is the same pretraining seed.
        level: coverage, in (0, 1).

    Returns:
        Low and high in [0, 1]; None for fewer than ``MIN_RUNS`` seeds.

    Raises:
        ValueError: as ``paired_improvement``, or there is more than one axis.
    """
    if candidate.ndim != 1:
        raise ValueError(f"an interval is of one row of seeds, not of shape {candidate.shape}")
    paired_improvement(candidate, baseline)
    runs = candidate.size
    if runs < MIN_RUNS:
        return None
    share = (1.0 - level) / 2.0
    gains = difference(candidate, baseline)
    wins, losses = int(np.sum(gains > 0)), int(np.sum(gains < 0))
    low = float(betaincinv(wins, runs - wins + 1, share)) if wins else 0.0
    high = float(betaincinv(runs - losses + 1, losses, 1.0 - share)) if losses else 1.0
    return low, high


def _check(*arrays: FloatArray) -> None:
    for values in arrays:
        if values.ndim == 0 or values.shape[-1] == 0 or not np.all(np.isfinite(values)):
            raise ValueError(f"an aggregate needs finite values, not {values!r}")
