"""The paired t-interval, for any number of studies at once.

Its values are differences within a pretraining seed, so what the two objectives share at a seed
(initial weights, documents, masks) has cancelled. Exact for normal differences from 3 seeds on.

Shape legend: S pretraining seeds.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from objbench.judge.statistics.estimate import FloatArray

LEVEL = 0.95


def t_factor(seeds: int, level: float = LEVEL) -> float:
    """Half-width of the t-interval in standard deviations: t(S - 1, (1 + level) / 2) / sqrt(S).

    Args:
        seeds: S, at least 2.
        level: coverage, in (0, 1).
    """
    return float(stdtrit(seeds - 1, (1.0 + level) / 2.0)) / math.sqrt(seeds)


def t_interval(
    differences: FloatArray, level: float = LEVEL, axis: int = -1
) -> tuple[FloatArray, FloatArray]:
    """Mean and half-width of the t-interval of paired differences.

    Args:
        differences: float64, S >= 2 along ``axis``, none missing.
        level: coverage, in (0, 1).
        axis: the axis of the seeds; it is gone from what is returned.

    Returns:
        The means, and the half-widths of their intervals, in the unit of the differences.
    """
    mean: FloatArray = np.mean(differences, axis=axis)
    deviation = np.std(differences, axis=axis, ddof=1)
    return mean, t_factor(differences.shape[axis], level) * deviation
