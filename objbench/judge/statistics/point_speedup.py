"""Speedup: what the baseline spent on its final score, over what a candidate spent to reach it.

Pure arithmetic on two curves of (spend, score); any meter, any score.

With the baseline's points (x_i, y_i), i = 1..n in order of spend, the target is its final score
t = y_n, bought with x_n. The candidate's spend s at the target is where its curve, straight
between points, is first at least as good as t. Speedup = x_n / s.

Where this differs from a reading of TACO's figure 5 (Fu et al. 2022): nothing is extrapolated, so
a target that is never reached has no number ("not reached"), and one that the first point has
reached already gives a bound only ("at least"). A curve that falls again later has still reached
the target. The baseline against itself is its own first reach, 1 unless it was there before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Curve = Sequence[tuple[float, float]]
"""Points of (spend, score), in any order."""

NOT_REACHED = "not reached"
AT_LEAST = "at least"


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a curve first reaches a target.

    Attributes:
        spend: the spend there; None where it never does.
        is_bound: the first point is there already, so the true spend is at most this.
    """

    spend: float | None
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class Speedup:
    """A speedup.

    Attributes:
        value: the ratio; None where the target is not reached.
        note: "", "not reached", or "at least" where ``value`` is a lower bound.
    """

    value: float | None
    note: str = ""


def first_reach(curve: Curve, target: float, direction: Literal["max", "min"] = "max") -> Reach:
    """Where ``curve`` is first at least as good as ``target``.

    Args:
        curve: at least one point; spends positive and different.
        target: a score.
        direction: "max" where a larger score is better.

    Raises:
        ValueError: the curve is empty, repeats a spend, or holds a number that makes no sense.
    """
    points = _sorted(curve)
    sign = 1.0 if direction == "max" else -1.0
    # The target less the score: positive while there is still some way to go.
    gaps = [sign * (target - score) for _, score in points]
    if gaps[0] <= 0:
        return Reach(points[0][0], is_bound=True)
    for index in range(1, len(points)):
        if gaps[index] <= 0:
            (left, _), (right, _) = points[index - 1], points[index]
            share = gaps[index - 1] / (gaps[index - 1] - gaps[index])
            return Reach(left + (right - left) * share)
    return Reach(None)


def speedup(baseline: Curve, candidate: Curve, direction: Literal["max", "min"] = "max") -> Speedup:
    """The baseline's spend at its final score over the candidate's where it first reaches it.

    Args:
        baseline: its last point gives the target and what it cost.
        candidate: may be the baseline itself.
        direction: "max" where a larger score is better.

    Raises:
        ValueError: as ``first_reach``.

    Example:
        >>> round(speedup([(250, 75.0)], [(50, 74.85), (100, 75.5)]).value, 4)  # 250 / 61.538
        4.0625
    """
    spent, target = _sorted(baseline)[-1]
    reach = first_reach(candidate, target, direction)
    if reach.spend is None:
        return Speedup(None, NOT_REACHED)
    return Speedup(spent / reach.spend, AT_LEAST if reach.is_bound else "")


def _sorted(curve: Curve) -> list[tuple[float, float]]:
    points = sorted(curve)
    if not points:
        raise ValueError("a curve needs at least one point")
    if not all(math.isfinite(x) and x > 0 and math.isfinite(y) for x, y in points):
        raise ValueError(f"spends must be positive and scores finite, not {points}")
    if any(left[0] == right[0] for left, right in pairwise(points)):
        raise ValueError(f"two points have the same spend: {points}")
    return points
