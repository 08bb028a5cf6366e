"""Power: how many more pretraining seeds would settle a claim, at the spread seen so far.

This is for planning, not a result: the standard deviation of a few seeds is itself uncertain, so the
number of seeds is a range, and from fewer than ``FEWEST`` seeds it would be none worth having. Seeds
that are added to a study are judged at the level that holds at every look (``looks``), so this is
the level they are planned for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import stdtrit
from scipy.stats import chi2

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray
from objbench.judge.statistics.looks import any_look_level

FEWEST = 5
"""Seeds below which their spread says too little to plan with."""

MOST_SEEDS = 1000
POWER = 0.8
_SPREAD_LEVEL = 0.8
"""Coverage of the chi-square interval of the standard deviation."""


@dataclass(frozen=True, slots=True)
class MoreSeeds:
    """About how many more seeds would settle a claim.

    Attributes:
        low, high: with the least and the greatest standard deviation that the seeds make likely;
            ``high`` is None where more than ``MOST_SEEDS`` would be needed.
    """

    low: int
    high: int | None


SETTLED = MoreSeeds(0, 0)


def more_seeds(
    mean: float, deviation: float, seeds: int, level: float = LEVEL, power: float = POWER
) -> MoreSeeds | None:
    """How many seeds to add so that the paired t-test settles the claim with this power.

    With the standard deviation s of n seeds, the true one lies in
    s * sqrt((n - 1) / chi2(0.9, n - 1)) to s * sqrt((n - 1) / chi2(0.1, n - 1)) with probability
    80%. At each end, see ``seeds_to_add``.

    Args:
        mean: mean distance from what is claimed; 0 is exactly as claimed and can never be settled.
        deviation: standard deviation of that distance between seeds, with n - 1.
        seeds: the present number.
        level: coverage, over all looks, of the interval that is to exclude the claim.
        power: probability that it does.

    Returns:
        None for fewer than ``FEWEST`` seeds, and where even the lower number is above
        ``MOST_SEEDS`` in all.
    """
    if seeds < FEWEST or not (np.isfinite(mean) and np.isfinite(deviation)):
        return None
    tails = np.array([(1.0 + _SPREAD_LEVEL) / 2.0, (1.0 - _SPREAD_LEVEL) / 2.0])
    least, greatest = deviation * np.sqrt((seeds - 1) / chi2.ppf(tails, seeds - 1))
    low = seeds_to_add(mean, float(least), seeds, level, power)
    high = seeds_to_add(mean, float(greatest), seeds, level, power)
    return None if low is None else MoreSeeds(low, high)


def seeds_to_add(
    mean: float, deviation: float, seeds: int, level: float = LEVEL, power: float = POWER
) -> int | None:
    """How many seeds to add, were ``deviation`` the true one.

    The smallest n above the present number, and from ``MIN_RUNS`` on, with
    |mean| >= (c(n) + t(n - 1, power)) * deviation / sqrt(n), c(n) being the critical value that
    holds at every look. This puts a shifted t in place of the noncentral one (Dupont & Plummer
    1990), which is off by less than one seed in the range of interest.

    Returns:
        None above ``MOST_SEEDS`` in all.
    """
    sizes = np.arange(max(seeds + 1, MIN_RUNS), MOST_SEEDS + 1)
    quantiles = _critical_values(level)[sizes] + stdtrit(sizes - 1, power)
    enough = (abs(mean) >= quantiles * deviation / np.sqrt(sizes)) & (mean != 0)
    return int(sizes[np.argmax(enough)]) - seeds if enough.any() else None


def detectable(seeds: int, level: float = LEVEL, power: float = POWER) -> float | None:
    """The smallest difference that so many seeds settle, in standard deviations between seeds.

    (t(n - 1, (1 + level) / 2) + t(n - 1, power)) / sqrt(n): of differences paired by seed, in a study
    that is judged once, when it is complete.

    Returns:
        None for fewer than ``MIN_RUNS`` seeds.
    """
    if seeds < MIN_RUNS:
        return None
    quantiles = stdtrit(seeds - 1, np.array([(1.0 + level) / 2.0, power]))
    return float(quantiles.sum() / np.sqrt(seeds))


def seeds_needed(difference: float, deviation: float) -> int | None:
    """The smallest number of seeds that settle ``difference``, see ``detectable``.

    Args:
        difference: positive.
        deviation: its standard deviation between seeds, in the same unit.

    Returns:
        None above ``MOST_SEEDS``.
    """
    for seeds in range(MIN_RUNS, MOST_SEEDS + 1):
        least = detectable(seeds)
        if least is not None and least * deviation <= difference:
            return seeds
    return None


@lru_cache(maxsize=8)
def _critical_values(level: float) -> FloatArray:
    """That of each number of seeds up to ``MOST_SEEDS``, by its index; infinite below 3 seeds."""
    values = np.full(MOST_SEEDS + 1, np.inf)
    for seeds in range(MIN_RUNS, MOST_SEEDS + 1):
        values[seeds] = stdtrit(seeds - 1, (1.0 + any_look_level(seeds, level)) / 2.0)
    return values
