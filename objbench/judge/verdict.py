"""A verdict on a claim: confirmed, refuted or inconclusive, by a 95% interval over seeds.

A claim is "at least this much". It is confirmed if the whole interval lies at or above the value
claimed, refuted if the whole interval lies below it, and inconclusive otherwise: also where too
few pretraining seeds were run for an interval, or the claimed speedup lies beyond what was
measured. So a false claim is confirmed, and a true one refuted, at most once in 40 on the model's
terms; ``objbench selftest`` measures how often it happens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray, t_interval
from objbench.judge.statistics.power import more_seeds
from objbench.judge.statistics.seed_curves import SAME_SPEND, SeedCurves
from objbench.judge.statistics.speedup import Bound, TargetGaps, read_speedup, target_gaps
from objbench.judge.statistics.target_crossing import Crossing, crossing

Verdict = Literal["confirmed", "refuted", "inconclusive"]
Direction = Literal["better", "worse", "unclear"]

NO_GAIN = 0.0
NO_SPEEDUP = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the seeds say about one claim.

    Attributes:
        verdict: on "at least ``claimed``".
        direction: whether the candidate is better or worse than the baseline at all.
        claimed: a gain in points, or a speedup.
        estimate: the same, as found.
        low, high: ends of its 95% interval; None below ``MIN_RUNS`` seeds.
        seeds: S, the pretraining seeds it rests on.
        more_seeds: how many more would settle it at the spread seen (``power``); 0 where it is
            settled, None where that cannot be told or is out of reach.
        why: half a sentence that gives the reason.
    """

    verdict: Verdict
    direction: Direction
    claimed: float
    estimate: Bound
    low: Bound | None
    high: Bound | None
    seeds: int
    more_seeds: int | None
    why: str


def judge_gain(differences: FloatArray, claimed: float) -> Finding:
    """Judge "at equal spend the candidate is better by at least ``claimed`` points".

    Args:
        differences: (S,) float64, candidate less baseline of each pretraining seed.
        claimed: in the unit of the differences.

    Raises:
        ValueError: no difference, one is missing, or there is more than one axis; or the claim is
            not a number.
    """
    if differences.ndim != 1 or not differences.size or not np.isfinite(differences).all():
        raise ValueError(f"a gain needs a row of finite differences, not {differences!r}")
    if not math.isfinite(claimed):
        raise ValueError(f"a claimed gain must be a number, not {claimed}")
    seeds = differences.size
    estimate = Bound(float(differences.mean()))
    if seeds < MIN_RUNS:
        needed = _needed(differences - claimed)
        return _too_few(claimed, estimate, seeds, needed)
    mean, half = (float(value) for value in t_interval(differences))
    low, high = mean - half, mean + half
    verdict = _verdict(low >= claimed, high < claimed)
    return Finding(
        verdict=verdict,
        direction=_direction(low > NO_GAIN, high < NO_GAIN),
        claimed=claimed,
        estimate=estimate,
        low=Bound(low),
        high=Bound(high),
        seeds=seeds,
        more_seeds=0 if verdict != "inconclusive" else _needed(differences - claimed),
        why=_why(verdict, f"{claimed:g}"),
    )


def judge_speedup(
    baseline: SeedCurves, candidate: SeedCurves, claimed: float, spend: float | None = None
) -> Finding:
    """Judge "the candidate reaches the baseline's score at least ``claimed`` times faster".

    Args:
        baseline, candidate: the same index is the same pretraining seed.
        claimed: a ratio of spends, positive.
        spend: the baseline's spend that gives the target; its final one when None.

    Raises:
        ValueError: the claim is not positive, or as ``target_gaps``.
    """
    if not 0 < claimed < math.inf:
        raise ValueError(f"a claimed speedup must be a positive number, not {claimed}")
    found = target_gaps(baseline, candidate, spend)
    spends = crossing(found.gaps, found.candidate_spend)
    speedup = read_speedup(found, spends)
    seeds = len(found.gaps)
    gaps = found.at(claimed)
    needed = None if gaps is None else _needed(gaps)
    if seeds < MIN_RUNS:
        return _too_few(claimed, speedup.estimate, seeds, needed)
    at = found.spend / claimed
    verdict = _verdict(bool(spends.reached_by(at)), bool(spends.missed_at(at)))
    why = _why(verdict, f"{claimed:g}")
    if verdict == "inconclusive" and gaps is None:
        why = f"a speedup of {claimed:g} lies outside the measured {_range(found, spends)}"
    if verdict == "inconclusive" and bool(spends.is_widened):
        needed = None
        why = (
            f"{claimed:g} lies between two neighbouring points: more points, not seeds, would tell"
        )
    return Finding(
        verdict=verdict,
        direction=speedup_direction(found, spends),
        claimed=claimed,
        estimate=speedup.estimate,
        low=speedup.low,
        high=speedup.high,
        seeds=seeds,
        more_seeds=needed if verdict == "inconclusive" else 0,
        why=why,
    )


def speedup_direction(found: TargetGaps, spends: Crossing) -> Direction:
    """Whether the candidate is faster or slower than the baseline at all: 1 is neither."""
    at = found.spend / NO_SPEEDUP
    # Its end at 1 itself confirms "at least 1" and is no advantage.
    touches = bool(spends.late >= at * (1 - SAME_SPEND))
    faster = bool(spends.reached_by(at)) and not touches
    return _direction(faster, bool(spends.missed_at(at)))


def _needed(distances: FloatArray) -> int | None:
    """More seeds that would settle whether the mean of ``distances`` (S,) is positive."""
    if distances.size < 2:
        return None
    return more_seeds(float(distances.mean()), float(distances.std(ddof=1)), distances.size)


def _too_few(claimed: float, estimate: Bound, seeds: int, needed: int | None) -> Finding:
    have = "1 pretraining seed carries" if seeds == 1 else f"{seeds} pretraining seeds carry"
    return Finding(
        verdict="inconclusive",
        direction="unclear",
        claimed=claimed,
        estimate=estimate,
        low=None,
        high=None,
        seeds=seeds,
        more_seeds=needed,
        why=f"{have} no interval: at least {MIN_RUNS} are needed",
    )


def _verdict(above: bool, below: bool) -> Verdict:
    return "confirmed" if above else "refuted" if below else "inconclusive"


def _direction(above: bool, below: bool) -> Direction:
    return "better" if above else "worse" if below else "unclear"


def _why(verdict: Verdict, claimed: str) -> str:
    if verdict == "confirmed":
        return f"the whole 95% interval lies at or above {claimed}"
    if verdict == "refuted":
        return f"the whole 95% interval lies below {claimed}"
    return f"{claimed} lies within the 95% interval"


def _range(found: TargetGaps, spends: Crossing) -> str:
    return f"{found.spend / spends.last:.3g} to {found.spend / spends.first:.3g}"
