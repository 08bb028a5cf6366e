"""A verdict on a claim: confirmed, refuted or inconclusive, by an interval over seeds.

A claim is "at least this much". It is confirmed if the whole interval is at or above the claimed
value, refuted if the whole interval is below it, and inconclusive otherwise: also where there are
too few pretraining seeds for an interval, or the claimed speedup is beyond what was measured. So
under the model's assumptions a false claim is confirmed, and a true one refuted, at most once in
40 by the 95% interval; ``objbench selftest`` measures how often it happens. A wider one decides
where the study is judged more than once (``looks``), or several claims at once (``primaries``).

Everything here is numbers and codes; ``verdict_sentence`` puts them into words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray, t_interval
from objbench.judge.statistics.multiple_tests import ERROR_RATE
from objbench.judge.statistics.power import SETTLED, MoreSeeds, more_seeds
from objbench.judge.statistics.proportions import BoolArray, PairedShares, paired_shares
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.speedup import Bound, TargetGaps, read_speedup, target_gaps
from objbench.judge.statistics.target_crossing import Crossing, crossing
from objbench.judge.statistics.ties import difference, mean_without_rounding

Verdict = Literal["confirmed", "refuted", "inconclusive"]
Comparison = Literal["better", "worse", "unclear"]
Reason = Literal["settled", "within", "too few seeds", "not measured", "between points"]

NO_GAIN = 0.0
NO_SPEEDUP = 1.0
EARLY = 2.0 / 3.0
"""Share of the baseline's final spend at which its score is a second target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the seeds say about one claim.

    Attributes:
        verdict: on "at least ``claimed``".
        comparison: whether the candidate is better or worse than the baseline at all.
        claimed: a gain in points, or a speedup.
        estimate: the same quantity, as measured.
        low, high: ends of its interval; None below ``MIN_RUNS`` seeds.
        level: coverage of the interval.
        seeds: S, the number of pretraining seeds it is based on.
        more_seeds: about how many more seeds would settle it (see ``power``); ``SETTLED`` where it
            is settled, None where that cannot be estimated or is out of reach.
        reason: why the verdict is what it is. "settled": the whole interval is on one side of the
            claim. Otherwise the claim is within the interval, there are too few seeds for one, the
            claimed speedup is outside ``measured``, or it is between two neighbouring points of the
            curve, where more points would settle it and more seeds would not.
        measured: the least and greatest speedup that the curves could show; None for a gain.
        learnt: how many runs of either side learnt, of a claim about that; None of any other.
    """

    verdict: Verdict
    comparison: Comparison
    claimed: float
    estimate: Bound
    low: Bound | None
    high: Bound | None
    seeds: int
    more_seeds: MoreSeeds | None
    reason: Reason
    measured: tuple[float, float] | None = None
    level: float = LEVEL
    learnt: PairedShares | None = None


def judge_gain(differences: FloatArray, claimed: float, level: float = LEVEL) -> Finding:
    """Judge "at equal spend the candidate is better by at least ``claimed`` points".

    Args:
        differences: (S,) float64, candidate minus baseline at each pretraining seed, by
            ``ties.difference``.
        claimed: in the unit of the differences.
        level: coverage of the interval, in (0, 1).

    Raises:
        ValueError: no difference, one is missing, or there is more than one axis; or the claim is
            not a finite number.
    """
    if differences.ndim != 1 or not differences.size or not np.isfinite(differences).all():
        raise ValueError(f"a gain needs a row of finite differences, not {differences!r}")
    if not math.isfinite(claimed):
        raise ValueError(f"a claimed gain must be a number, not {claimed}")
    seeds = differences.size
    distances = difference(differences, np.array([claimed]))
    needed = _needed(distances)
    mean = float(mean_without_rounding(differences))
    estimate = Bound(mean)
    if seeds < MIN_RUNS:
        return _too_few(claimed, estimate, seeds, needed, level)
    distance, half = (float(value) for value in t_interval(distances, level))
    verdict = _verdict(distance - half >= 0, distance + half < 0)
    low, high = mean - half, mean + half
    return Finding(
        verdict=verdict,
        comparison=_comparison(low > NO_GAIN, high < NO_GAIN),
        claimed=claimed,
        estimate=estimate,
        low=Bound(low),
        high=Bound(high),
        seeds=seeds,
        more_seeds=needed if verdict == "inconclusive" else SETTLED,
        reason="within" if verdict == "inconclusive" else "settled",
        level=level,
    )


def judge_speedup(
    baseline: SeedCurves,
    candidate: SeedCurves,
    claimed: float,
    spend: float | None = None,
    level: float = LEVEL,
) -> Finding:
    """Judge "the candidate reaches the baseline's score at least ``claimed`` times faster".

    Args:
        baseline, candidate: the same index is the same pretraining seed.
        claimed: a ratio of spends, positive.
        spend: the baseline's spend that gives the target; its final one when None.
        level: coverage of the interval, in (0, 1).

    Raises:
        ValueError: the claim is not positive, or as ``target_gaps``.
    """
    if not 0 < claimed < math.inf:
        raise ValueError(f"a claimed speedup must be a positive number, not {claimed}")
    found = target_gaps(baseline, candidate, spend)
    spends = crossing(found.gaps, found.candidate_spend, level)
    speedup = read_speedup(found, spends)
    seeds = len(found.gaps)
    gaps = found.at(claimed)
    needed = None if gaps is None else _needed(gaps)
    if seeds < MIN_RUNS:
        return _too_few(claimed, speedup.estimate, seeds, needed, level)
    at = found.spend / claimed
    verdict = _verdict(bool(spends.reached_by(at)), bool(spends.missed_at(at, found.slack)))
    reason: Reason = "settled"
    if verdict == "inconclusive":
        reason = "not measured" if gaps is None else "within"
        if spends.is_between(at):
            reason, needed = "between points", None
    return Finding(
        verdict=verdict,
        comparison=speedup_comparison(found, spends),
        claimed=claimed,
        estimate=speedup.estimate,
        low=speedup.low,
        high=speedup.high,
        seeds=seeds,
        more_seeds=needed if verdict == "inconclusive" else SETTLED,
        reason=reason,
        measured=(found.spend / spends.last, found.spend / spends.first),
        level=level,
    )


def judge_early_speedup(
    baseline: SeedCurves, candidate: SeedCurves, claimed: float, level: float = LEVEL
) -> Finding:
    """As ``judge_speedup``, to the score that the baseline had at ``EARLY`` of its final spend.

    A candidate of the same budget that is as fast reaches this target within what was measured,
    while of the final score only one half of such candidates do.
    """
    # Seeds on different clocks are brought to the median one.
    spend = EARLY * float(np.median(baseline.spend[:, -1]))
    return judge_speedup(baseline, candidate, claimed, spend, level)


def judge_reliability(candidate: BoolArray, baseline: BoolArray, level: float = LEVEL) -> Finding:
    """Judge "more runs of the candidate leave their first plateau than of the baseline".

    By McNemar's exact test: confirmed if it finds that the candidate's runs learn more often, refuted
    if it finds that they do so less often. The estimate is the difference of the shares in points of
    a hundred; there is no interval.

    Args:
        candidate, baseline: (S,) bool, whether the run learnt; the same index is the same seed.
        level: 1 minus the error rate of the test, in (0, 1).

    Raises:
        ValueError: there is no pair, or the shapes differ.
    """
    if candidate.ndim != 1 or not candidate.size:
        raise ValueError(f"how often runs learn needs a row of runs, not {candidate!r}")
    found = paired_shares(candidate, baseline)
    more = found.candidate - found.baseline
    is_found = found.p_value < 1.0 - level
    above, below = is_found and more > 0, is_found and more < 0
    return Finding(
        verdict=_verdict(above, below),
        comparison=_comparison(above, below),
        claimed=0.0,
        estimate=Bound(100.0 * more / found.runs),
        low=None,
        high=None,
        seeds=found.runs,
        more_seeds=SETTLED if is_found else None,
        reason="settled" if is_found else "within",
        level=level,
        learnt=found,
    )


def speedup_comparison(found: TargetGaps, spends: Crossing) -> Comparison:
    """Whether the candidate is faster or slower than the baseline at all: 1 is neither."""
    at = found.spend / NO_SPEEDUP
    # An interval that ends at exactly 1 confirms "at least 1" and is no advantage, unless that end is
    # open: a candidate that is ahead at the same spend was there before it.
    is_faster = bool(spends.reached_before(at))
    return _comparison(is_faster, bool(spends.missed_at(at, found.slack)))


def compare_at_once(
    curves: Mapping[str, tuple[SeedCurves, SeedCurves]], error_rate: float = ERROR_RATE
) -> dict[str, Comparison]:
    """Which candidates are faster or slower than the baseline, with all of them compared at once.

    Holm's correction (see ``multiple_tests``) of the test that the intervals invert: the
    candidates that differ at the level for all of them are settled, then the others are tested at
    the level for those that are left, until none differs.

    Args:
        curves: candidate -> the baseline's and its own curves, as for ``judge_speedup``.
        error_rate: chance that any candidate is said to differ that does not.

    Raises:
        ValueError: as ``target_gaps``.
    """
    gaps = {name: target_gaps(*pair) for name, pair in curves.items()}
    found: dict[str, Comparison] = dict.fromkeys(curves, "unclear")
    waiting = list(curves)
    while waiting:
        level = 1.0 - error_rate / len(waiting)
        for name in waiting:
            own = gaps[name]
            found[name] = speedup_comparison(own, crossing(own.gaps, own.candidate_spend, level))
        left = [name for name in waiting if found[name] == "unclear"]
        if left == waiting:
            break
        waiting = left
    return found


def _needed(distances: FloatArray) -> MoreSeeds | None:
    """More seeds that would settle whether the mean of ``distances`` (S,) is positive."""
    if distances.size < 2:
        return None
    return more_seeds(
        float(mean_without_rounding(distances)), float(distances.std(ddof=1)), distances.size
    )


def _too_few(
    claimed: float, estimate: Bound, seeds: int, needed: MoreSeeds | None, level: float
) -> Finding:
    return Finding(
        verdict="inconclusive",
        comparison="unclear",
        claimed=claimed,
        estimate=estimate,
        low=None,
        high=None,
        seeds=seeds,
        more_seeds=needed,
        reason="too few seeds",
        level=level,
    )


def _verdict(above: bool, below: bool) -> Verdict:
    return "confirmed" if above else "refuted" if below else "inconclusive"


def _comparison(above: bool, below: bool) -> Comparison:
    return "better" if above else "worse" if below else "unclear"
