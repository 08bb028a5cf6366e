"""Is a difference more than chance, when many differences are tested at once?

The paired t-test on differences within a seed, and Holm's correction over the questions asked
(Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure"): the chance that any
difference is called real that is not is at most the error rate, whatever their dependence.

Fewer than ``MIN_RUNS`` pretraining seeds are too few for a test.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtr

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.ties import mean_without_rounding

ERROR_RATE = 0.05
"""Chance of any wrong call among the questions asked at once."""


def paired_p_values(differences: FloatArray) -> FloatArray | None:
    """Two-sided p-value of the paired t-test that the mean difference is 0.

    p = 2 * F(-|t|; S - 1) with t = mean / (s / sqrt(S)).

    Differences that are all 0 have p = 1. Ones that are all the same and not 0 have an infinite
    t and p = 0: right if they do not vary, and overconfident where coarse scores, such as
    shares of a few hundred examples, happen to agree. Make them by ``ties.difference``: rounding
    would be a difference that does not vary.

    Args:
        differences: (..., S) float64, one value a pretraining seed, none missing.

    Returns:
        (...) float64 in [0, 1]; None for fewer than ``MIN_RUNS`` seeds.

    Raises:
        ValueError: a value is missing.
    """
    if not np.all(np.isfinite(differences)):
        raise ValueError(f"a paired test needs finite differences, not {differences!r}")
    runs = differences.shape[-1]
    if runs < MIN_RUNS:
        return None
    means = mean_without_rounding(differences)
    errors = np.std(differences, axis=-1, ddof=1) / math.sqrt(runs)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(means == 0.0, 0.0, np.abs(means) / errors)
    return np.asarray(2.0 * stdtr(runs - 1, -ratios))


def holm(p_values: FloatArray) -> FloatArray:
    """p-values adjusted for each other: reject where the adjusted one is at most the level.

    The k-th smallest of m, k = 0..m-1, becomes the largest of (m - j) * p_j over j <= k, at
    most 1.

    Args:
        p_values: (m,) float64 in [0, 1].

    Returns:
        (m,) float64, in the order given.

    Raises:
        ValueError: a value is missing or outside [0, 1], or there is more than one axis.
    """
    if p_values.ndim != 1 or not np.all((p_values >= 0.0) & (p_values <= 1.0)):
        raise ValueError(f"Holm's correction needs a row of p-values, not {p_values!r}")
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(p_values.size, 0, -1)
    adjusted = np.empty_like(scaled)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
