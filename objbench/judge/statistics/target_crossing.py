"""Where a candidate's curve reaches a target, with an interval from inverting the paired t-test.

At each spend s the candidate's gap to the target is one paired difference per seed. The 95%
confidence set of the spend at which the mean gap is zero contains every s at which a paired t-test
does not reject that: |mean| <= t(S - 1, 0.975) sd / sqrt(S). Inverting the test is exact for normal
gaps at any slope of the curve, unlike an error propagated to a ratio or a percentile bootstrap
(Fieller 1954, for one ratio). The interval is the hull of that set: beyond each end the test
rejects at every measured spend.

An interval is never finer than the points it was measured at. The test knows how much the seeds
differ, not how a curve bends between two points, and with quiet seeds that is the larger error: the
interval always contains the two points around the estimate, which assumes only that the mean curve
rises. The points are the same at every level, so intervals at different levels are nested, and
neither a wider interval nor noisier seeds can settle what a narrower one leaves open.

An end that is one of the two points is open: the test rejects there, so the target is reached
strictly before the later point, or after the earlier one.

Codes of a spend: 0 where it is below the first measured one ("reached before"), infinity where it
is beyond the last ("not reached"). They are bounds; nothing is extrapolated.

Shape legend: ... any number of studies, S pretraining seeds, K shared points of spend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray, t_factor, t_interval
from objbench.judge.statistics.seed_curves import SAME_SPEND, isotonic
from objbench.judge.statistics.ties import mean_without_rounding, without_rounding

BoolArray = npt.NDArray[np.bool_]

BEFORE = 0.0
NEVER = np.inf
# Halvings of one segment between points: more than a double has digits.
_HALVINGS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """The candidate's spend at the target: (...) float64 each, or one of the two codes.

    Attributes:
        estimate: where the mean curve, made to rise by isotonic regression, first reaches it.
        early, late: ends of the interval, which contains the estimate and the two points around it;
            NaN below ``MIN_RUNS`` seeds.
        tested_early, tested_late: ends by the test alone, within the interval; likewise NaN.
        first, last: the measured range of spend.
    """

    estimate: FloatArray
    early: FloatArray
    late: FloatArray
    tested_early: FloatArray
    tested_late: FloatArray
    first: float
    last: float

    def at(self, index: int) -> Crossing:
        """One of the crossings that are held along the first axis."""
        return Crossing(
            self.estimate[index],
            self.early[index],
            self.late[index],
            self.tested_early[index],
            self.tested_late[index],
            self.first,
            self.last,
        )

    def reached_by(self, spend: float) -> BoolArray:
        """Whether the whole interval is at or before ``spend``."""
        known = np.where(self.late == BEFORE, self.first, self.late)
        return np.asarray(known <= spend * (1 + SAME_SPEND))

    def reached_before(self, spend: float) -> BoolArray:
        """Whether the whole interval is before ``spend``, which may be its open end."""
        return self.reached_by(spend) & (self.tested_late < spend * (1 - SAME_SPEND))

    def missed_at(self, spend: float, slack: float = SAME_SPEND) -> BoolArray:
        """Whether the whole interval is after ``spend``, which may be its open end.

        Where the target was never reached, that is known of a spend up to the last one measured and
        a share ``slack`` beyond it.
        """
        measured = spend <= self.last * (1 + slack)
        is_after = self.tested_early > spend * (1 + SAME_SPEND)
        is_after &= self.early >= spend * (1 - SAME_SPEND)
        return np.where(np.isposinf(self.early), measured, is_after)

    def covers(self, spend: float) -> BoolArray:
        """Whether the interval covers ``spend``; one that is open at an end covers all beyond it."""
        return self._holds(self.early, self.late, spend)

    def is_open_at(self, spend: float) -> BoolArray:
        """Whether the test alone does not reject ``spend``."""
        return self._holds(self.tested_early, self.tested_late, spend)

    def is_between(self, spend: float) -> BoolArray:
        """Whether only more points, and no more seeds, could keep ``spend`` out of the interval.

        It is covered, and the test alone rejects it or has its whole interval between two points.
        """
        is_fine = (self.tested_early > self.early) & (self.tested_late < self.late)
        return self.covers(spend) & (is_fine | ~self.is_open_at(spend))

    def _holds(self, early: FloatArray, late: FloatArray, spend: float) -> BoolArray:
        begun = np.where(np.isposinf(early), spend > self.last, early <= spend)
        ended = np.where(late == BEFORE, spend < self.first, late >= spend)
        return np.asarray(begun & ended)


def crossing(gaps: FloatArray, spend: FloatArray, level: float = LEVEL) -> Crossing:
    """Where the gap between candidate and target closes.

    Args:
        gaps: (..., S, K) float64, candidate minus target at each point, by ``ties.difference``;
            linear between points.
        spend: (K,) float64, rising.
        level: coverage, in (0, 1).
    """
    means = isotonic(mean_without_rounding(gaps, axis=-2))
    # Pooling adds up gaps that may cancel.
    estimate = first_zero(
        without_rounding(means, np.abs(gaps).max(axis=(-2, -1), keepdims=True)[..., 0]), spend
    )
    first, last = float(spend[0]), float(spend[-1])
    if gaps.shape[-2] < MIN_RUNS:
        missing = np.full_like(estimate, np.nan)
        return Crossing(estimate, missing, missing, missing, missing, first, last)
    mean, half = t_interval(gaps, level, axis=-2)
    early = _first_open(-mean - half, -gaps, spend, level)
    # The last open spend is the first one of the reversed curve.
    late = _first_open((mean - half)[..., ::-1], gaps[..., ::-1], spend[::-1], level)
    late = np.where(late == BEFORE, NEVER, np.where(late == NEVER, BEFORE, late))
    early, late = np.minimum(early, estimate), np.maximum(late, estimate)
    left, right = _points_around(estimate, spend)
    return Crossing(
        estimate, np.minimum(early, left), np.maximum(late, right), early, late, first, last
    )


def _points_around(estimate: FloatArray, spend: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The measured spends around an estimate (...): (...) each; both itself where there are none.

    A crossing exactly at a point was measured there, and one at a code is beyond all points.
    """
    place = np.clip(np.searchsorted(spend, estimate), 1, max(spend.size - 1, 1))
    left, right = spend[place - 1], spend[np.minimum(place, spend.size - 1)]
    is_inside = (left * (1 + SAME_SPEND) < estimate) & (estimate < right * (1 - SAME_SPEND))
    return np.where(is_inside, left, estimate), np.where(is_inside, right, estimate)


def first_zero(means: FloatArray, spend: FloatArray) -> FloatArray:
    """Where mean gaps (..., K), linear between points, are first 0 or above: (...) float64."""
    there = means >= 0
    right = np.argmax(there, axis=-1)
    left = np.maximum(right - 1, 0)
    below = np.take_along_axis(means, left[..., None], -1)[..., 0]
    above = np.take_along_axis(means, right[..., None], -1)[..., 0]
    rise = np.where(above > below, above - below, 1.0)
    inside = spend[left] + (spend[right] - spend[left]) * (-below / rise)
    return np.where(~there.any(axis=-1), NEVER, np.where(there[..., 0], BEFORE, inside))


def _first_open(
    margin: FloatArray, gaps: FloatArray, spend: FloatArray, level: float
) -> FloatArray:
    """Where the test first stops finding the mean gap positive, going along K.

    The margin, mean minus half-width, is concave between two points, since the standard deviation
    of straight lines is convex: if it is positive at both ends it is positive between them, and if
    only at the first, it is zero exactly once.

    Args:
        margin: (..., K) float64; positive where the test rejects.
        gaps: (..., S, K) float64, with the sign of the margin.
        spend: (K,) float64, in the order of K.
        level: coverage.

    Returns:
        (...) float64; ``BEFORE`` where the first point is open, ``NEVER`` where none is.
    """
    is_open = margin <= 0
    right = np.argmax(is_open, axis=-1)
    left = np.maximum(right - 1, 0)
    start = np.take_along_axis(gaps, left[..., None, None], -1)[..., 0]
    slope = np.take_along_axis(gaps, right[..., None, None], -1)[..., 0] - start
    mean, mean_slope = start.mean(axis=-1), slope.mean(axis=-1)
    off, off_slope = start - mean[..., None], slope - mean_slope[..., None]
    seeds = gaps.shape[-2]
    scale = t_factor(seeds, level) ** 2 / (seeds - 1)
    v0, v1, v2 = (
        scale * (x * y).sum(-1) for x, y in ((off, off), (off, off_slope), (off_slope,) * 2)
    )
    low, high = np.zeros_like(mean), np.ones_like(mean)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        half = np.sqrt(np.maximum(v0 + middle * (2 * v1 + middle * v2), 0.0))
        rejected = mean + middle * mean_slope > half
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    inside = spend[left] + (spend[right] - spend[left]) * high
    return np.where(~is_open.any(axis=-1), NEVER, np.where(is_open[..., 0], BEFORE, inside))
