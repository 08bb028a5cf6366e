"""Curves of one objective over several pretraining seeds, linear between the measured points.

Nothing is extrapolated. Where a curve has to rise, isotonic regression makes it rise: it finds the
rising curve that is nearest in least squares by pooling neighbouring points that are out of order
(Barlow et al. 1972; Robertson, Wright & Dykstra 1988).

Shape legend: S pretraining seeds, P measured points, K points of spend that the seeds share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import isotonic_regression

from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.ties import leveled

# Two spends that differ by less than this share are the same: the difference is rounding.
SAME_SPEND = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class SeedCurves:
    """The measured points of one objective, one curve per pretraining seed.

    Attributes:
        spend: (S, P) float64, positive and rising along P; the seeds may differ, as seconds do.
        scores: (S, P) float64; greater is better, so negate a loss.
        step: what one optimizer step is of the whole budget, as a share. Budgets are spent in whole
            steps, so two that differ by less than one are the same budget.

    Raises:
        ValueError: the shapes differ, a value is not finite, or a spend does not rise.
    """

    spend: FloatArray
    scores: FloatArray
    step: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "spend", np.asarray(self.spend, dtype=np.float64))
        object.__setattr__(self, "scores", np.asarray(self.scores, dtype=np.float64))
        if self.spend.ndim != 2 or self.spend.shape != self.scores.shape or not self.spend.size:
            shapes = f"{self.spend.shape} and {self.scores.shape}"
            raise ValueError(f"curves need spend and scores of one shape (S, P), not {shapes}")
        if not (np.isfinite(self.spend).all() and np.isfinite(self.scores).all()):
            raise ValueError("curves need finite spends and scores: leave out what is missing")
        if self.spend.min() <= 0 or np.any(np.diff(self.spend, axis=1) <= 0):
            raise ValueError("the spend of a curve must be positive and rise from point to point")

    @property
    def seeds(self) -> int:
        """S, the number of pretraining seeds."""
        return int(self.spend.shape[0])

    @property
    def first(self) -> float:
        """The least spend at which every seed has been measured."""
        return float(self.spend[:, 0].max())

    @property
    def last(self) -> float:
        """The greatest spend at which every seed has been measured."""
        return float(self.spend[:, -1].min())

    def at(self, spend: float) -> FloatArray:
        """Each seed's score at ``spend``, interpolated: (S,) float64.

        Raises:
            ValueError: a seed was not measured on both sides of ``spend``.
        """
        return self.at_all(np.array([spend]))[:, 0]

    def at_all(self, spends: FloatArray) -> FloatArray:
        """Each seed's score at each of K ``spends``: (S, K) float64, as ``at``."""
        low, high = self.first * (1 - SAME_SPEND), self.last * (1 + SAME_SPEND)
        outside = spends[~((low <= spends) & (spends <= high))]
        if outside.size:
            raise ValueError(
                f"spend {outside[0]:g} is outside the measured {self.first:g}-{self.last:g}"
            )
        rows = zip(self.spend, self.scores, strict=True)
        return np.array([np.interp(spends, row, scores) for row, scores in rows])

    def shared_points(self) -> FloatArray:
        """Every seed's points within the range that all seeds share: (K,) float64, rising.

        Raises:
            ValueError: the seeds share no range of spend.
        """
        if self.first > self.last * (1 + SAME_SPEND):
            raise ValueError(
                f"the seeds share no range of spend: one begins at {self.first:g}, "
                f"another ends at {self.last:g}"
            )
        inside = (self.spend >= self.first) & (self.spend <= self.last)
        points = np.unique(np.append(self.spend[inside], [self.first, self.last]))
        apart = np.diff(points) > SAME_SPEND * points[1:]
        kept: FloatArray = points[np.append(True, apart)]
        return kept


def isotonic(values: FloatArray) -> FloatArray:
    """The rising sequences nearest to ``values`` in least squares, each row by itself.

    Args:
        values: (..., K) float64, finite.

    Returns:
        (..., K) float64, never falling along K; a row that never falls is returned as it is.

    Raises:
        ValueError: there is no value, or one is not finite.

    Example:
        >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0])).tolist()
        [1.0, 2.5, 2.5, 4.0]
    """
    if not values.size or not np.isfinite(values).all():
        raise ValueError("isotonic regression needs finite values")
    rows = values.reshape(-1, values.shape[-1]).copy()
    for index in np.flatnonzero((np.diff(rows, axis=-1) < 0).any(axis=-1)):
        rows[index] = isotonic_regression(rows[index]).x
    return rows.reshape(values.shape)


def pooled(curves: SeedCurves) -> SeedCurves:
    """Every seed's scores averaged over the points that the mean curve needs pooled to rise.

    The mean over seeds of the result is the isotonic regression of the mean curve, and each seed
    keeps its own value, so spread and pairing do not change.
    """
    mean = leveled(curves.scores.mean(axis=0))
    starts = isotonic_regression(mean).blocks[:-1]
    sizes = np.diff(np.append(starts, mean.size))
    means = np.add.reduceat(curves.scores, starts, axis=1) / sizes
    return replace(curves, scores=np.repeat(means, sizes, axis=1))
