"""Curves of one objective over several pretraining seeds, straight between the measured points.

Nothing is extrapolated. Where a curve has to rise, it is made to by isotonic regression: the
rising curve that is nearest in least squares, which pools neighbouring points that are out of
order (Barlow et al. 1972; Robertson, Wright & Dykstra 1988).

Shape legend: S pretraining seeds, P measured points, K points of spend that the seeds share.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.statistics.estimate import FloatArray

# Two spends nearer than this share are one: they differ by rounding alone.
SAME_SPEND = 1e-9
# From so many points on, a loop over a curve's points is quicker than its K^2 runs at once.
_LONG = 128


@dataclass(frozen=True, slots=True, eq=False)
class SeedCurves:
    """The measured points of one objective, one curve a pretraining seed.

    Attributes:
        spend: (S, P) float64, positive and rising along P; the seeds may differ, as seconds do.
        scores: (S, P) float64; greater is better, so a loss is handed in negated.

    Raises:
        ValueError: the shapes differ, a value is not finite, or a spend does not rise.
    """

    spend: FloatArray
    scores: FloatArray

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
        """Every seed's points within the stretch that all seeds share: (K,) float64, rising.

        Raises:
            ValueError: the seeds share no stretch of spend.
        """
        if self.first > self.last * (1 + SAME_SPEND):
            raise ValueError(
                f"the seeds share no stretch of spend: one begins at {self.first:g}, "
                f"another ends at {self.last:g}"
            )
        inside = (self.spend >= self.first) & (self.spend <= self.last)
        points = np.unique(np.append(self.spend[inside], [self.first, self.last]))
        apart = np.diff(points) > SAME_SPEND * points[1:]
        kept: FloatArray = points[np.append(True, apart)]
        return kept


def isotonic(values: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """The rising sequence nearest to ``values`` in weighted least squares.

    Value i is max over a <= i of min over b >= i of the mean of values a..b (Robertson, Wright &
    Dykstra 1988, theorem 1.4.4): what pool-adjacent-violators finds, without its loop, so that
    many curves are done at once. That needs K^2 numbers a curve, so long curves have the loop.

    Args:
        values: (..., K) float64, finite.
        weights: (K,) float64, positive; all 1 when None.

    Returns:
        (..., K) float64, never falling along K.

    Raises:
        ValueError: there is no value, one is not finite, or the weights do not fit.

    Example:
        >>> isotonic(np.array([1.0, 3.0, 2.0, 4.0])).tolist()
        [1.0, 2.5, 2.5, 4.0]
    """
    length = values.shape[-1] if values.ndim else 0
    if length == 0 or not np.isfinite(values).all():
        raise ValueError("isotonic regression needs finite values")
    weights = np.ones(length) if weights is None else weights
    if weights.shape != (length,) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"isotonic regression needs {length} positive weights")
    if length > _LONG:
        rows = [_pool_adjacent(row, weights) for row in values.reshape(-1, length)]
        return np.reshape(rows, values.shape)
    # Sums from the first value on lose fewer digits than sums from zero.
    offset = values[..., :1]
    sums = _from_zero(np.cumsum((values - offset) * weights, axis=-1))
    weight = _from_zero(np.cumsum(weights))
    size = weight[None, 1:] - weight[:-1, None]  # (a, b): of the run a..b
    upper = np.triu(np.ones((length, length), dtype=bool))
    runs = (sums[..., None, 1:] - sums[..., :-1, None]) / np.where(upper, size, 1.0)
    means = offset[..., None] + runs
    # A run of one is its value, to the last digit: a curve against itself has no gap at all.
    diagonal = np.arange(length)
    means[..., diagonal, diagonal] = values
    least = np.minimum.accumulate(means[..., ::-1], axis=-1)[..., ::-1]
    found: FloatArray = np.where(upper, least, -np.inf).max(axis=-2)
    return found


def _pool_adjacent(values: FloatArray, weights: FloatArray) -> FloatArray:
    """One curve: neighbours out of order become a block of their mean, until none are."""
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, together, size = value, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, its_weight, its_size = blocks.pop()
            mean = (before * its_weight + mean * together) / (its_weight + together)
            together, size = together + its_weight, size + its_size
        blocks.append((mean, together, size))
    means, _, sizes = zip(*blocks, strict=True)
    return np.repeat(means, sizes)


def _from_zero(sums: FloatArray) -> FloatArray:
    """``sums`` with a 0 before the first."""
    return np.concatenate([np.zeros_like(sums[..., :1]), sums], axis=-1)


def pooled(curves: SeedCurves) -> SeedCurves:
    """Every seed's scores averaged over the points that the mean curve needs pooled to rise.

    The mean over seeds of the result is the isotonic regression of the mean curve, and each seed
    keeps its own value, so that spread and pairing stay what they are.
    """
    mean = curves.scores.mean(axis=0)
    rising = isotonic(mean)
    # Within a pooled block the values agree up to rounding.
    steps = np.diff(rising) > 1e-12 * max(1.0, float(np.abs(mean).max()))
    starts = np.flatnonzero(np.append(True, steps))
    sizes = np.diff(np.append(starts, mean.size))
    means = np.add.reduceat(curves.scores, starts, axis=1) / sizes
    return SeedCurves(curves.spend, np.repeat(means, sizes, axis=1))
