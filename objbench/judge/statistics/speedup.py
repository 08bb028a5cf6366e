"""Speedup with its interval, at one target and as a function of the target.

At a baseline spend x the target is the baseline's mean score there. The speedup is r if the
candidate's mean score at spend x / r is the same; its interval is that of ``target_crossing``, read
as a ratio. An end that was not measured is reported as a bound, such as "< 1": it is never
extrapolated and never left out.

Each seed has its own clock: the spends of a seed are taken relative to what its baseline spent in
total. In steps, tokens and FLOPs that changes nothing; in device seconds it removes the effect of
one seed running on a slower machine than another.

Shape legend: S pretraining seeds, K shared points of the candidate's spend.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray
from objbench.judge.statistics.seed_curves import SAME_SPEND, SeedCurves, pooled
from objbench.judge.statistics.target_crossing import BEFORE, Crossing, crossing
from objbench.judge.statistics.ties import difference, leveled


@dataclass(frozen=True, slots=True)
class Bound:
    """A value, or what is known of one that was not measured.

    Attributes:
        value: the value, or the end of the measured range.
        side: "" for a value; "below" for less than it, "above" for greater than it.
    """

    value: float
    side: Literal["", "below", "above"] = ""


@dataclass(frozen=True, slots=True)
class SpeedupAt:
    """The speedup at one target.

    Attributes:
        target: the baseline's mean score at ``spend``.
        spend: what the baseline spent on it.
        estimate: the speedup; "below" where the candidate does not reach the target, "above"
            where its first point has reached it already.
        low, high: its interval, which contains the estimate; None below ``MIN_RUNS`` seeds.
    """

    target: float
    spend: float
    estimate: Bound
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True, eq=False)
class TargetGaps:
    """A candidate's distance from one target along its curve, seed by seed.

    Attributes:
        target: the baseline's mean score at ``spend``.
        spend: what the baseline spent on it.
        candidate_spend: (K,) float64, rising.
        gaps: (S, K) float64: the candidate's score minus the baseline's of the same seed at
            ``spend``; linear between points.
        slack: spends that differ by at most this share are the same budget, see ``SeedCurves.step``.
    """

    target: float
    spend: float
    candidate_spend: FloatArray
    gaps: FloatArray
    slack: float = SAME_SPEND

    def at(self, speedup: float) -> FloatArray | None:
        """Each seed's gap at the spend that ``speedup`` implies: (S,); None if not measured.

        A share ``slack`` beyond the last point it is the gap at that point, as in
        ``Crossing.missed_at``.
        """
        spend = self.spend / speedup
        first, last = self.candidate_spend[[0, -1]]
        if not first * (1 - SAME_SPEND) <= spend <= last * (1 + self.slack):
            return None
        return np.array([np.interp(spend, self.candidate_spend, row) for row in self.gaps])


def target_gaps(
    baseline: SeedCurves, candidate: SeedCurves, spend: float | None = None
) -> TargetGaps:
    """The candidate's gaps to what the baseline scored at ``spend``.

    Args:
        baseline, candidate: the same index is the same pretraining seed.
        spend: the baseline's; its final one when None. Where seeds differ, on the median clock.

    Raises:
        ValueError: not paired by seed, or the baseline was not measured at ``spend``.
    """
    baseline, candidate = _on_one_clock(baseline, candidate)
    at = baseline.last if spend is None else spend
    scores = baseline.at(at)
    points = candidate.shared_points()
    gaps = difference(candidate.at_all(points), scores[:, None], axis=0)
    slack = max(SAME_SPEND, baseline.step, candidate.step)
    return TargetGaps(float(scores.mean()), at, points, gaps, slack)


def speedup_at(
    baseline: SeedCurves, candidate: SeedCurves, spend: float | None = None, level: float = LEVEL
) -> SpeedupAt:
    """How many times less the candidate spends to reach the baseline's score at ``spend``.

    Args:
        baseline, candidate: the same index is the same pretraining seed.
        spend: the baseline's; its final one when None. Where seeds differ, on the median clock.
        level: coverage of the interval, in (0, 1).

    Raises:
        ValueError: not paired by seed, or the baseline was not measured at ``spend``.

    Example:
        >>> mlm = SeedCurves(np.array([[250.0]]), np.array([[75.0]]))
        >>> taco = SeedCurves(np.array([[50.0, 100.0]]), np.array([[74.85, 75.5]]))
        >>> round(speedup_at(mlm, taco).estimate.value, 4)  # 250 / 61.538
        4.0625
    """
    found = target_gaps(baseline, candidate, spend)
    return read_speedup(found, crossing(found.gaps, found.candidate_spend, level))


def read_speedup(found: TargetGaps, spends: Crossing) -> SpeedupAt:
    """The spends of a crossing as ratios of the baseline's spend to them."""
    has_interval = len(found.gaps) >= MIN_RUNS

    def ratio(spend: FloatArray) -> Bound:
        if spend == BEFORE:
            return Bound(found.spend / spends.first, "above")
        if np.isposinf(spend):
            return Bound(found.spend / spends.last, "below")
        return Bound(found.spend / float(spend))

    return SpeedupAt(
        target=found.target,
        spend=found.spend,
        estimate=ratio(spends.estimate),
        low=ratio(spends.late) if has_interval else None,
        high=ratio(spends.early) if has_interval else None,
    )


def speedup_function(
    baseline: SeedCurves,
    candidate: SeedCurves,
    points: int = 25,
    level: float = LEVEL,
    targets: FloatArray | None = None,
) -> tuple[SpeedupAt, ...]:
    """The speedup as a function of the target.

    The targets are evenly spaced between the first and last value of the baseline's mean curve
    after isotonic regression; each is paired with the earliest spend at which that curve reaches
    it. The intervals are pointwise: each has its level at its own target, not at all at once.

    Args:
        baseline, candidate: the same index is the same pretraining seed.
        points: how many targets.
        level: coverage of each interval, in (0, 1).
        targets: (n,) float64, scores to use instead; any beyond the baseline's curve are left
            out.

    Returns:
        By rising target; a single one where the baseline's curve does not rise at all.

    Raises:
        ValueError: not paired by seed, or fewer than 1 target.
    """
    if points < 1:
        raise ValueError(f"a speedup function needs at least 1 target, not {points}")
    baseline, candidate = _on_one_clock(baseline, candidate)
    rising = pooled(baseline)
    spends = rising.shared_points()
    means = np.maximum.accumulate(leveled(rising.at_all(spends).mean(axis=0)))
    if targets is None:
        targets = np.linspace(means[0], means[-1], points)
    targets = np.unique(targets[(targets >= means[0]) & (targets <= means[-1])])
    at = [_earliest(spends, means, float(target)) for target in targets]
    scores = rising.at_all(np.array(at))
    candidate_spend = candidate.shared_points()
    gaps = difference(candidate.at_all(candidate_spend), scores.T[:, :, None], axis=1)
    found = crossing(gaps, candidate_spend, level)
    return tuple(
        read_speedup(
            TargetGaps(float(scores[:, index].mean()), spend, candidate_spend, gaps[index]),
            found.at(index),
        )
        for index, spend in enumerate(at)
    )


def _earliest(spends: FloatArray, means: FloatArray, target: float) -> float:
    """The least spend at which the rising ``means``, linear between points, reach ``target``."""
    right = min(int(np.searchsorted(means, target)), means.size - 1)
    if right == 0:
        return float(spends[0])
    left = right - 1
    share = (target - means[left]) / (means[right] - means[left])
    return float(spends[left] + (spends[right] - spends[left]) * min(share, 1.0))


def _on_one_clock(baseline: SeedCurves, candidate: SeedCurves) -> tuple[SeedCurves, SeedCurves]:
    """Both curves with every seed's spends scaled so that all baselines end at the same spend."""
    if baseline.seeds != candidate.seeds:
        raise ValueError(f"not paired by seed: {baseline.seeds} against {candidate.seeds} seeds")
    ends = baseline.spend[:, -1:]
    scale = np.median(ends) / ends
    return (
        replace(baseline, spend=baseline.spend * scale),
        replace(candidate, spend=candidate.spend * scale),
    )
