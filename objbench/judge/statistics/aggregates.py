"""One number for many: mean, median, interquartile mean, probability of improvement.

The aggregates of rliable (Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the
Statistical Precipice"), over the last axis. On scores x of S runs x T tasks, rliable's own are
``mean(cells(x))``, ``median(x.mean(axis=-2))`` and ``interquartile_mean(cells(x))``. Give the
interquartile mean gains, not raw scores: across tasks of different difficulty the middle half of
the raw cells is the middle tasks, and the trimming removes tasks where it should remove runs.

Two probabilities of improvement, which answer two questions:

- paired, P(candidate > baseline at one seed): what verdicts use, since at one seed objectives
  share initial weights, documents and masks.
- unpaired, P(a run of the candidate > a run of the baseline): Mann-Whitney's U over the number of
  pairs, as rliable has it; for runs with no seed in common, as in another's records.

Ties count half in both. Larger is better; negate errors and losses.

Shape legend: N values, S pretraining seeds, T tasks or columns.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray


def cells(values: FloatArray) -> FloatArray:
    """(..., S, T) -> (..., S * T): every cell a value of its own, as rliable pools them."""
    return values.reshape(*values.shape[:-2], -1)


def mean(values: FloatArray) -> FloatArray:
    """Arithmetic mean over the last axis: (..., N) -> (...).

    Raises:
        ValueError: there is no value, or one is missing.
    """
    _check(values)
    return np.asarray(np.mean(values, axis=-1))


def median(values: FloatArray) -> FloatArray:
    """Median over the last axis: (..., N) -> (...).

    Raises:
        ValueError: there is no value, or one is missing.
    """
    _check(values)
    return np.asarray(np.median(values, axis=-1))


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
    return np.asarray(np.mean(_wins(candidate, baseline), axis=-1))


def unpaired_improvement(candidate: FloatArray, baseline: FloatArray) -> FloatArray:
    """Share of all pairs of runs in which the candidate is better, plus half of the ties.

    Args:
        candidate: (..., S1) float64.
        baseline: (..., S2) float64; S2 may differ from S1.

    Returns:
        (...) float64 in [0, 1].

    Raises:
        ValueError: one has no run, or a value is missing.
    """
    _check(candidate, baseline)
    wins = _wins(candidate[..., :, None], baseline[..., None, :])
    return np.asarray(np.mean(wins, axis=(-2, -1)))


def improvement_interval(
    candidate: FloatArray, baseline: FloatArray, level: float = 0.95
) -> tuple[float, float] | None:
    """The exact interval of the paired probability of improvement (Clopper & Pearson 1934).

    To be used in place of a bootstrap, whose draws do not vary where the candidate wins at every
    seed, and which then calls the probability 1 for certain. A tie counts against the lower
    bound and for the upper, so the interval covers at least ``level`` of the time.

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
    wins = int(np.sum(candidate > baseline))
    losses = int(np.sum(candidate < baseline))
    low = float(betaincinv(wins, runs - wins + 1, share)) if wins else 0.0
    high = float(betaincinv(runs - losses + 1, losses, 1.0 - share)) if losses else 1.0
    return low, high


def _wins(candidate: FloatArray, baseline: FloatArray) -> FloatArray:
    wins: FloatArray = (np.sign(candidate - baseline) + 1.0) / 2.0
    return wins


def _check(*arrays: FloatArray) -> None:
    for values in arrays:
        if values.ndim == 0 or values.shape[-1] == 0 or not np.all(np.isfinite(values)):
            raise ValueError(f"an aggregate needs finite values, not {values!r}")
