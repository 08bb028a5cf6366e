"""One row of a self-test: the judge's verdicts on many studies whose truth is known.

What is measured is the code that judges real studies (``crossing`` and ``t_interval``), on many
studies at once.

Shape legend: R studies, S pretraining seeds, K points, C claims.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from objbench.judge.selftest.error_rates import ClaimRates, Place, RateRow
from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray, t_interval
from objbench.judge.statistics.seed_curves import SAME_SPEND
from objbench.judge.statistics.target_crossing import BEFORE, BoolArray, crossing

Claims = tuple[tuple[Place, float], ...]
"""Claims by rising value: where each is relative to the truth, and its value."""

Decide = Callable[[float], BoolArray]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What the judge said of R studies.

    Attributes:
        covers: (R,) bool, whether the interval covers the truth.
        is_open: (R,) bool, whether the interval has an unmeasured end.
        test_covers: (R,) bool, whether the test alone covers it, without the points around the
            estimate that an interval always holds.
        confirmed, refuted: (C, R) bool, the verdicts on each claim.
    """

    covers: BoolArray
    is_open: BoolArray
    test_covers: BoolArray
    confirmed: BoolArray
    refuted: BoolArray


def gain_outcomes(
    differences: FloatArray, truth: float, claims: Claims, level: float = LEVEL
) -> Outcomes:
    """The judge's verdicts on gains.

    Args:
        differences: (R, S) float64, candidate minus baseline.
        truth: the true gain.
        claims: what is claimed of every study.
        level: of the interval.
    """
    mean, half = t_interval(differences, level)
    confirmed, refuted = _decided(claims, lambda at: mean - half >= at, lambda at: mean + half < at)
    covers = np.abs(mean - truth) <= half
    return Outcomes(covers, np.zeros_like(covers), covers, confirmed, refuted)


def speedup_outcomes(
    gaps: FloatArray,
    spend: FloatArray,
    target_spend: float,
    truth: float,
    claims: Claims,
    level: float = LEVEL,
    slack: float = SAME_SPEND,
) -> Outcomes:
    """The judge's verdicts on speedups.

    Args:
        gaps: (R, S, K) float64, the candidate's score minus the target, seed by seed.
        spend: (K,) float64, the candidate's, rising.
        target_spend: what the baseline spent on the target.
        truth: the true speedup.
        claims: what is claimed of every study.
        level: of the interval.
        slack: spends that differ by at most this share are the same budget.
    """
    found = crossing(gaps, spend, level)

    def missed(at: float) -> BoolArray:
        return found.missed_at(target_spend / at, slack)

    confirmed, refuted = _decided(claims, lambda at: found.reached_by(target_spend / at), missed)
    # Where the truth is refuted within the slack, the interval is open and does not cover it.
    covers = found.covers(target_spend / truth) & ~missed(truth)
    test_covers = found.is_open_at(target_spend / truth) & ~missed(truth)
    is_open = (found.early == BEFORE) | np.isposinf(found.late)
    return Outcomes(covers, is_open, test_covers, confirmed, refuted)


def first_settled(looks: Iterable[Outcomes]) -> Outcomes:
    """What a user reports who looks again until a claim is settled.

    A claim has the verdict of the first look that settles it. The truth is covered if the intervals
    of all looks cover it.
    """
    first, *later = looks
    covers, is_open, test_covers = first.covers, first.is_open, first.test_covers
    confirmed, refuted = first.confirmed, first.refuted
    for look in later:
        waiting = ~(confirmed | refuted)
        confirmed, refuted = (
            confirmed | (waiting & look.confirmed),
            refuted | (waiting & look.refuted),
        )
        covers, is_open = covers & look.covers, look.is_open
        test_covers = test_covers & look.test_covers
    return Outcomes(covers, is_open, test_covers, confirmed, refuted)


def among_learnt(
    learnt: BoolArray, claims: int, judge: Callable[[BoolArray, Places], Outcomes]
) -> Outcomes:
    """The verdicts on the pairs in which both runs learnt.

    A study with too few of them has no verdict and no interval, which excludes nothing.

    Args:
        learnt: (R, S) bool.
        claims: C.
        judge: (which of the studies (R,), the places of their pairs (Q, s)) -> their outcomes. It
            is asked once for every number of pairs s, of the Q studies that have as many.
    """
    studies = len(learnt)
    covers, test_covers = np.ones((2, studies), dtype=bool)
    is_open = np.zeros(studies, dtype=bool)
    confirmed, refuted = np.zeros((2, claims, studies), dtype=bool)
    # A stable sort: the pairs that count come first, in their order.
    order = np.argsort(~learnt, axis=1, kind="stable")
    pairs = learnt.sum(axis=1)
    for size in np.unique(pairs[pairs >= MIN_RUNS]):
        which = pairs == size
        found = judge(which, order[which, :size])
        covers[which], is_open[which] = found.covers, found.is_open
        test_covers[which] = found.test_covers
        confirmed[:, which], refuted[:, which] = found.confirmed, found.refuted
    return Outcomes(covers, is_open, test_covers, confirmed, refuted)


def rate_row(outcomes: Outcomes, claims: Claims, **fields: Any) -> RateRow:
    """The row of these outcomes; ``fields`` are the others of the ``RateRow``."""
    return RateRow(
        coverage=share(outcomes.covers),
        test_coverage=share(outcomes.test_covers),
        open_ended=share(outcomes.is_open),
        claims=tuple(
            ClaimRates(place=place, claimed=claimed, confirmed=share(yes), refuted=share(no))
            for (place, claimed), yes, no in zip(
                claims, outcomes.confirmed, outcomes.refuted, strict=True
            )
        ),
        **fields,
    )


def share(found: BoolArray) -> float:
    """The share of studies in which something was found."""
    return float(np.mean(found))


def _decided(claims: Claims, confirms: Decide, refutes: Decide) -> tuple[BoolArray, BoolArray]:
    """(C, R) bool each: which claims are confirmed, and which refuted."""
    values = [claimed for _, claimed in claims]
    return np.stack([confirms(at) for at in values]), np.stack([refutes(at) for at in values])
