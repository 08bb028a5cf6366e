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
