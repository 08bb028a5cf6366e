"""Statistics over pretraining seeds: pure functions on arrays, no files and no printing.

A pretraining run is the one independent unit. The tasks it is evaluated on and the fine-tuning
seeds of a task all share that run, so they are averaged within it first and never counted as
further measurements: nine tasks of one run are one observation, not nine. Objectives are compared
by the difference within a seed, since at one seed they share initial weights, documents and masks.

Fewer than ``MIN_RUNS`` pretraining seeds carry no interval: what is given then is the range.

Shape legend: S pretraining seeds, F fine-tuning seeds. A missing value is NaN and stays missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

FloatArray = npt.NDArray[np.float64]

# Two runs have one degree of freedom: their 95% interval is 12.7 standard errors to either side
# and says nothing that the range does not.
MIN_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over pretraining seeds and its spread, in the unit of the values.

    Attributes:
        mean: arithmetic mean.
        low, high: smallest and largest value.
        runs: S, how many pretraining seeds it rests on.
        deviation: standard deviation with n - 1; None for one run.
        half_width: half of the 95% t-interval; None for fewer than ``MIN_RUNS`` runs.
    """

    mean: float
    low: float
    high: float
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
        values: (S,) float64, one value a pretraining seed, none missing.

    Raises:
        ValueError: there is no value, one is missing, or there is more than one axis.
    """
    if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values)):
        raise ValueError(f"estimate needs a row of finite values, not {values!r}")
    return Estimate(
        mean=float(np.mean(values)),
        low=float(np.min(values)),
        high=float(np.max(values)),
        runs=values.size,
        deviation=float(np.std(values, ddof=1)) if values.size > 1 else None,
        half_width=t_half_width(values),
    )


def t_half_width(values: FloatArray, level: float = 0.95) -> float | None:
    """Half of the t-interval of the mean: t(n - 1, (1 + level) / 2) * s / sqrt(n).

    Exact for normal values, and close for few runs, where a plain percentile bootstrap is too
    narrow.

    Args:
        values: (S,) float64, none missing.
        level: coverage, in (0, 1).

    Returns:
        In the unit of the values; None for fewer than ``MIN_RUNS`` values.
    """
    runs = values.size
    if runs < MIN_RUNS:
        return None
    quantile = float(stdtrit(runs - 1, (1.0 + level) / 2.0))
    return quantile * float(np.std(values, ddof=1)) / math.sqrt(runs)


def paired_difference(candidate: FloatArray, baseline: FloatArray) -> Estimate:
    """Mean and spread of candidate minus baseline, seed by seed.

    Args:
        candidate, baseline: (S,) float64; the same index is the same pretraining seed.

    Raises:
        ValueError: the shapes differ, or a value is missing.
    """
    if candidate.shape != baseline.shape:
        raise ValueError(f"not paired by seed: {candidate.shape} against {baseline.shape}")
    return estimate(candidate - baseline)
