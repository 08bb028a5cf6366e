"""What a run spends until it reaches a fixed target: one number per run, known exactly or within bounds.

One rule between two evaluation points, in short points: the run's own losses, made to fall by isotonic
regression, are linear in the logarithm of the steps, and the target is reached where that line is first
down at it. The same share of the way between two points gives the spend on the other axes, in their
logarithm. A run that had reached the target at its first point spent at most that much; one that never
did spent more than its last point, which is a censored run and not a missing one. Nothing is extrapolated.

The median over runs has the exact interval of order statistics, whatever the distribution is and also
where runs are censored: of n runs, the k-th smallest and the k-th largest spend are on either side of
the median with probability 1 - 2 P(Binomial(n, 1/2) < k) (David and Nagaraja 2003, Order Statistics,
section 7.1). Five runs give the smallest and the largest, and 93.75%.

Shape legend: P evaluation points of a run, A compute axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom

from objbench.judge.statistics.estimate import LEVEL, FloatArray
from objbench.judge.statistics.seed_curves import isotonic
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.target_crossing import first_zero
from objbench.judge.statistics.ties import without_rounding


@dataclass(frozen=True, slots=True)
class Reached:
    """What one run spent until it reached the target.

    Attributes:
        least, most: what it spent at least and at most; equal where the target lies between two points,
            0 and the first point's spend where that had reached it, the last point's spend and infinity
            where none had.
        before, after: the spends of the points around it; equal to ``least`` and ``most`` in the other two
            cases.
        point: number of the first evaluation point that had reached it, from 1; 0 where none had.
    """

    least: float
    most: float
    before: float
    after: float
    point: int

    @property
    def is_exact(self) -> bool:
        """Whether the target was reached between two points."""
        return self.least == self.most

    @property
    def bound(self) -> Bound:
        """The spend, or the bound that is known of it."""
        if self.is_exact:
            return Bound(self.least)
        return Bound(self.most, "below") if self.point else Bound(self.least, "above")


def reached(steps: FloatArray, spend: FloatArray, scores: FloatArray, target: float) -> Reached:
    """What a run spent until its score was first at ``target``.

    Args:
        steps: (P,) float64, positive and rising.
        spend: (P,) float64, positive: the spend at each point on the axis that is asked about.
        scores: (P,) float64, greater is better: negate a loss.
        target: in the unit of the scores.

    Raises:
        ValueError: the shapes differ, there is no point, a value is not finite, the steps do not rise, or
            a spend is not positive.
    """
    if not steps.size or steps.ndim != 1 or not steps.shape == spend.shape == scores.shape:
        raise ValueError("a run needs one step, one spend and one score for each of its points")
    if not all(np.isfinite(values).all() for values in (steps, spend, scores)):
        raise ValueError("steps, spends and scores must be finite")
    if steps[0] <= 0 or np.any(np.diff(steps) <= 0) or spend.min() <= 0:
        raise ValueError("steps must be positive and rise, and spends must be positive")
    # Pooling adds up scores: one that is at the target but for rounding has reached it.
    gaps = without_rounding(isotonic(scores) - target, np.abs(scores).max())
    there = np.flatnonzero(gaps >= 0)
    if not there.size:
        last = float(spend[-1])
        return Reached(last, np.inf, last, np.inf, 0)
    after = int(there[0])
    if after == 0:
        first = float(spend[0])
        return Reached(0.0, first, 0.0, first, 1)
    # The share of the way is the same in the logarithm of any spend that is proportional to steps. At a gap
    # of exactly 0 the spend is that point's, without the rounding of a logarithm.
    at = float(np.exp(first_zero(gaps, np.log(spend))) if gaps[after] > 0 else spend[after])
    around = sorted(map(float, spend[after - 1 : after + 1]))
    return Reached(at, at, around[0], around[1], after + 1)


@dataclass(frozen=True, slots=True)
class MedianSpend:
    """The median over runs with its interval.

    Attributes:
        estimate: the median, or the bound that is known of it.
        low, high: ends of its interval, likewise.
        coverage: of the interval, at least; below ``LEVEL`` where there are too few runs for that.
        reached: how many runs reached the target, of how many.
    """

    estimate: Bound
    low: Bound
    high: Bound
    coverage: float
    reached: tuple[int, int]


def median_spend(runs: Sequence[Reached]) -> MedianSpend:
    """The median of what runs spent, with the exact interval of order statistics.

    The interval holds the points around the runs in the middle, since no number of runs says how a curve
    bends between two points.

    Args:
        runs: at least one.

    Raises:
        ValueError: there is none.
    """
    if not runs:
        raise ValueError("a median needs at least one run")
    number = len(runs)
    place = _place(number)
    ordered = _sorted(runs)
    middle = ordered[(number - 1) // 2 : number // 2 + 1]
    estimate = middle[0].bound if len(middle) == 1 else _between(*middle)
    low, high = ordered[place - 1].bound, ordered[number - place].bound
    measured = [run for run in middle if run.is_exact]
    if measured and not low.side:
        low = Bound(min(low.value, *(run.before for run in measured)))
    if measured and not high.side:
        high = Bound(max(high.value, *(run.after for run in measured)))
    return MedianSpend(
        estimate=estimate,
        low=low,
        high=high,
        coverage=1.0 - 2.0 * float(binom.cdf(place - 1, number, 0.5)),
        reached=(sum(run.point > 0 for run in runs), number),
    )


def _place(runs: int) -> int:
    """The k of the k-th smallest and largest: the innermost pair that covers ``LEVEL``, or the outermost."""
    least = (1.0 - LEVEL) / 2.0
    inside = [k for k in range(1, (runs + 1) // 2 + 1) if binom.cdf(k - 1, runs, 0.5) <= least]
    return max(inside, default=1)


def _sorted(runs: Sequence[Reached]) -> list[Reached]:
    """From the least spend to the greatest, each with the bound that its place gives it.

    A run that never reached the target is beyond all that did, and one that had reached it at its first
    point is before all that had not: where the bound of its own says less than that, it takes the one of
    its neighbour.
    """

    def place(run: Reached) -> tuple[int, float]:
        if run.is_exact:
            return 1, run.least
        return (0, run.most) if run.point else (2, run.least)

    ordered = sorted(runs, key=place)
    for index in range(1, len(ordered)):
        run, before = ordered[index], ordered[index - 1].least
        if not run.point and run.least < before:
            ordered[index] = replace(run, least=before, before=before)
    for index in reversed(range(len(ordered) - 1)):
        run, after = ordered[index], ordered[index + 1].most
        if run.point and run.most > after:
            ordered[index] = replace(run, most=after, after=after)
    return ordered


def _between(left: Reached, right: Reached) -> Bound:
    """The geometric mean of the two in the middle, or the bound that is known of it."""
    if left.is_exact and right.is_exact:
        return Bound(float(np.sqrt(left.least * right.least)))
    return Bound(right.most, "below") if right.point else Bound(left.least, "above")
