"""Shares of runs, with exact intervals, and the exact paired test of two shares.

A handful of runs says little about a share: none of 5 seen is compatible with almost one half. So
a share is never given without its interval, which is exact and not a normal approximation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from objbench.judge.statistics.estimate import LEVEL

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """``number`` of ``runs``, with the Clopper-Pearson interval of the underlying share.

    Attributes:
        low, high: ends of the interval, in [0, 1].
    """

    number: int
    runs: int
    low: float
    high: float


def share(happened: BoolArray, level: float = LEVEL) -> Share:
    """How often something happened, with its exact interval (Clopper & Pearson 1934).

    Args:
        happened: (S,) bool, one value per pretraining seed.
        level: least coverage of the interval, in (0, 1).

    Raises:
        ValueError: there is no run, or there is more than one axis.
    """
    if happened.ndim != 1 or not happened.size:
        raise ValueError(f"a share needs a row of runs, not {happened!r}")
    number = int(happened.sum())
    interval = binomtest(number, happened.size).proportion_ci(level, method="exact")
    return Share(number, happened.size, float(interval.low), float(interval.high))


@dataclass(frozen=True, slots=True)
class PairedShares:
    """How often something happened on both sides of ``runs`` pairs.

    Attributes:
        p_value: as ``paired_share_p_value``.
        unlike: pairs at which the sides differ.
    """

    candidate: int
    baseline: int
    runs: int
    unlike: int
    p_value: float


def paired_shares(candidate: BoolArray, baseline: BoolArray) -> PairedShares:
    """Both shares with the exact test of their difference; arguments as ``paired_share_p_value``."""
    p_value = paired_share_p_value(candidate, baseline)
    return PairedShares(
        candidate=int(candidate.sum()),
        baseline=int(baseline.sum()),
        runs=candidate.size,
        unlike=int((candidate != baseline).sum()),
        p_value=p_value,
    )


def fewest_unlike_pairs(error_rate: float) -> int:
    """The fewest pairs that differ with which the exact test can find anything: 2 / 2^n < the rate."""
    needed = 1
    while 2.0 * 0.5**needed >= error_rate:
        needed += 1
    return needed


def paired_share_p_value(candidate: BoolArray, baseline: BoolArray) -> float:
    """Two-sided p-value that something happens equally often on both sides (McNemar's exact test).

    Only the seeds at which the sides differ tell them apart; under equal shares each of these is
    a fair coin (McNemar 1947; exact by the binomial distribution).

    Args:
        candidate, baseline: (S,) bool; the same index is the same pretraining seed.

    Raises:
        ValueError: the shapes differ.
    """
    if candidate.shape != baseline.shape:
        raise ValueError(f"not paired by seed: {candidate.shape} against {baseline.shape}")
    only_candidate = int((candidate & ~baseline).sum())
    unlike = int((candidate != baseline).sum())
    return float(binomtest(only_candidate, unlike).pvalue) if unlike else 1.0
