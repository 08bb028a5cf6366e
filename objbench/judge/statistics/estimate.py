"""Means over pretraining seeds and their t-intervals.

The pretraining run is the independent unit. The tasks it is evaluated on and the fine-tuning seeds
of a task all share that run, so they are averaged within it first and never counted as further
measurements: nine tasks of one run are one observation, not nine. Objectives are compared by their
difference within a seed, since at one seed they share initial weights, documents and masks.

Fewer than ``MIN_RUNS`` pretraining seeds are too few for an interval; only the range is given then.

Shape legend: S pretraining seeds, F fine-tuning seeds. A missing value is NaN and stays missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from objbench.judge.statistics.ties import difference, mean_without_rounding

FloatArray = npt.NDArray[np.float64]

# Two runs have one degree of freedom: their 95% interval reaches 12.7 standard errors to either
# side and says nothing that the range does not.
MIN_RUNS = 3
LEVEL = 0.95
"""Coverage of every interval unless another is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over pretraining seeds and its spread, in the unit of the values.

    Attributes:
        mean: arithmetic mean.
        least, greatest: smallest and largest value; ``interval`` has the ends of the interval.
        runs: S, how many pretraining seeds it rests on.
        deviation: standard deviation with n - 1; None for one run.
        half_width: half of the 95% t-interval; None for fewer than ``MIN_RUNS`` runs.
    """

    mean: float
    least: float
    greatest: float
    runs: int
    deviation: float | None
    half_width: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the mean, or None where there are too few runs for one."""
        if self.half_width is None:
            return None
        return self.mean - self.half_width, self.mean + self.half_width


def within_run_mean(values: FloatArray) -> FloatArray:
    """Mean over the fine-tuning seeds of each pretraining run, never over a part of them.

    Args:
        values: (..., F) float64; NaN where missing.

    Returns:
        (...) float64; NaN where any of the F values is missing, or F is 0.
    """
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], np.nan)
    means: FloatArray = np.mean(values, axis=-1)
    return means


def estimate(values: FloatArray) -> Estimate:
    """Mean and spread over pretraining seeds.

    Args:
        values: (S,) float64, one value per pretraining seed, none missing.

    Raises:
        ValueError: there is no value, one is missing, or there is more than one axis.
    """
    if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values)):
        raise ValueError(f"estimate needs a row of finite values, not {values!r}")
    return Estimate(
        mean=float(mean_without_rounding(values)),
        least=float(np.min(values)),
        greatest=float(np.max(values)),
        runs=values.size,
        deviation=float(np.std(values, ddof=1)) if values.size > 1 else None,
        half_width=float(t_interval(values)[1]) if values.size >= MIN_RUNS else None,
    )


def paired_difference(candidate: FloatArray, baseline: FloatArray) -> Estimate:
    """Mean and spread of candidate minus baseline, seed by seed; rounding is a tie (``ties``).

    Args:
        candidate, baseline: (S,) float64; the same index is the same pretraining seed.

    Raises:
        ValueError: the shapes differ, or a value is missing.
    """
    if candidate.shape != baseline.shape:
        raise ValueError(f"not paired by seed: {candidate.shape} against {baseline.shape}")
    return estimate(difference(candidate, baseline))


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
    """Mean and half-width of the t-interval: mean -+ t(S - 1, (1 + level) / 2) * s / sqrt(S).

    Exact for normal values; close to its level even for three seeds, where a percentile bootstrap
    is too narrow. On differences within a pretraining seed, what the two objectives share at that
    seed (initial weights, documents, masks) has cancelled.

    Args:
        differences: float64, S >= 2 along ``axis``, none missing.
        level: coverage, in (0, 1).
        axis: the axis of the seeds, which the result no longer has.

    Returns:
        The means, and the half-widths of their intervals, in the unit of the differences.
    """
    mean = mean_without_rounding(differences, axis)
    deviation = np.std(differences, axis=axis, ddof=1)
    return mean, t_factor(differences.shape[axis], level) * deviation
