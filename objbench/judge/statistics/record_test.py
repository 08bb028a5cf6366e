"""Whether a recipe reaches a target with less compute than the holder of the record: a rank test.

The runs of two recipes are two independent samples of log FLOPs to the target: recipes may differ in
encoder, batch and length, so runs of one seed need have nothing in common, and no distribution-free paired
test could reach p < 0.01 with five pairs (at best 1/32). The Mann-Whitney test is exact for any
distribution, needs no logarithm or other scale, and can reach 1/252 with five runs a side. The null
hypothesis is that the candidate's runs are no faster: exchangeable with the holder's, or slower.

Censored runs are in the test by the least favourable of all values that they may have: a candidate's that
never reached the target is slower than everything, a holder's reached it just after its budget; a
candidate's that had reached it at the first evaluation point took as long as that point, a holder's took nothing. Ties
are the holder's. The p-value can only rise by this, whatever the unknown values are.

How many times less it takes is the Hodges-Lehmann estimate, the median ratio of all pairs of runs, with
the interval that the same test gives (Hollander, Wolfe and Chicken 2014, sections 4.2 and 4.3). Both assume
that the spends of the two differ by one constant factor, a shift of their logarithm; the p-value does not.
Where ratios are known within bounds, so are the estimate and the ends.

Shape legend: n runs of the candidate, m of the holder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import mannwhitneyu

from objbench.judge.statistics.estimate import LEVEL, FloatArray
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.time_to_target import Reached

RECORD_LEVEL = 0.01
"""A record needs a p-value below this."""


@dataclass(frozen=True, slots=True)
class RecordTest:
    """A candidate against the holder.

    Attributes:
        p: one-sided, for "the candidate is no faster".
        ratio: the holder's spend divided by the candidate's, or the bound that is known of it.
        low, high: ends of its interval.
        coverage: of the interval, exactly where no run is censored and at least else: the least that is
            possible from 95% on, which takes four runs a side; 96.8% for five.
    """

    p: float
    ratio: Bound
    low: Bound
    high: Bound
    coverage: float

    @property
    def is_record(self) -> bool:
        """Whether the candidate is the new holder."""
        return self.p < RECORD_LEVEL


def record_test(candidate: Sequence[Reached], holder: Sequence[Reached]) -> RecordTest:
    """The test of a candidate's runs against the holder's.

    Args:
        candidate, holder: at least one run each.

    Raises:
        ValueError: one of them has no run.
    """
    if not candidate or not holder:
        raise ValueError("a test needs at least one run of the candidate and one of the holder")
    slow = [(run.most, 1) for run in candidate]
    fast = [(run.least, 0) for run in holder]
    # Ranks have no ties, and of two equal spends the holder's comes first.
    ordered = sorted(range(len(slow) + len(fast)), key=lambda index: [*slow, *fast][index])
    ranks = np.empty(len(ordered))
    ranks[ordered] = np.arange(len(ordered))
    ours, theirs = ranks[: len(slow)], ranks[len(slow) :]
    p = float(mannwhitneyu(ours, theirs, alternative="less", method="exact").pvalue)
    least, most = _ratios(candidate, holder)
    skipped, coverage = _left_out(len(slow), len(fast))
    pairs = len(least)
    middle = ((pairs - 1) // 2, pairs // 2)
    return RecordTest(
        p=p,
        ratio=_bound(_mean([least[i] for i in middle]), _mean([most[i] for i in middle])),
        low=_low(least[skipped], most[skipped]),
        high=_high(least[pairs - 1 - skipped], most[pairs - 1 - skipped]),
        coverage=coverage,
    )


def _ratios(candidate: Sequence[Reached], holder: Sequence[Reached]) -> tuple[list[float], ...]:
    """What each pair's ratio is at least, and at most, both sorted: the k-th true one is between them."""
    pairs = [(ours, theirs) for ours in candidate for theirs in holder]
    least = sorted(theirs.least / ours.most for ours, theirs in pairs)
    most = sorted(theirs.most / ours.least if ours.least > 0 else np.inf for ours, theirs in pairs)
    return least, most


def _left_out(candidate: int, holder: int) -> tuple[int, float]:
    """How many ratios are outside of each end, the most that leave at least ``LEVEL``, and what they leave.

    The true ratio is below the one with k others below it with the probability that the statistic is at
    most k.
    """
    counts = _counts(candidate, holder)
    below = np.cumsum(counts) / counts.sum()
    # Where even the widest interval covers less, that is the one.
    skipped = max(int(np.searchsorted(below, (1.0 - LEVEL) / 2.0, side="right")) - 1, 0)
    return skipped, 1.0 - 2.0 * float(below[skipped])


def _counts(candidate: int, holder: int) -> FloatArray:
    """In how many of all orders of two samples the Mann-Whitney statistic is 0, 1, ...: (n m + 1,).

    The coefficients of the Gaussian binomial: each of the n runs is beyond 0 to m of the other's.
    """
    counts = np.zeros(candidate * holder + 1)
    counts[0] = 1.0
    for size in range(1, candidate + 1):
        # Times (1 - q^(holder + size)) / (1 - q^size).
        up = holder + size
        for place in range(counts.size - 1, up - 1, -1):
            counts[place] -= counts[place - up]
        for place in range(size, counts.size):
            counts[place] += counts[place - size]
    return counts


def _mean(values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    return low if low == high else float(np.sqrt(low * high)) if np.isfinite(high) else high


def _bound(least: float, most: float) -> Bound:
    """An estimate that is known to be between two values, as a value or as the bound nearer to 1.

    Where 1 is between them, neither says which recipe is faster, and the upper one is shown.
    """
    if least == most:
        return Bound(least)
    if least >= 1 or np.isinf(most):
        return Bound(least, "above")
    return Bound(most, "below")


def _low(least: float, most: float) -> Bound:
    return Bound(least) if least > 0 or least == most else Bound(most, "below")


def _high(least: float, most: float) -> Bound:
    return Bound(most) if np.isfinite(most) else Bound(least, "above")
