"""Power: how many more pretraining seeds would settle a claim, at the spread seen so far.

This is for planning the next study, not a result: mean and spread of a few seeds are themselves
uncertain.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS

MOST_SEEDS = 1000
POWER = 0.8


def more_seeds(
    mean: float, deviation: float, seeds: int, level: float = LEVEL, power: float = POWER
) -> int | None:
    """How many seeds to add so that the paired t-test settles the claim with this power.

    The smallest n above the present number, and from ``MIN_RUNS`` on, with
    |mean| >= (t(n - 1, (1 + level) / 2) + t(n - 1, power)) * deviation / sqrt(n). This puts a
    shifted t in place of the noncentral one (Dupont & Plummer 1990), which is off by less than
    one seed in the range of interest.

    Args:
        mean: mean distance from what is claimed; 0 is exactly as claimed and can never be settled.
        deviation: standard deviation of that distance between seeds, with n - 1.
        seeds: the present number.
        level: coverage of the interval that is to exclude the claim.
        power: probability that it does.

    Returns:
        None for fewer than 2 seeds, which have no spread, and above ``MOST_SEEDS`` in all.
    """
    if seeds < 2 or not (np.isfinite(mean) and np.isfinite(deviation)):
        return None
    sizes = np.arange(max(seeds + 1, MIN_RUNS), MOST_SEEDS + 1)
    quantiles = stdtrit(sizes - 1, (1.0 + level) / 2.0) + stdtrit(sizes - 1, power)
    enough = (abs(mean) >= quantiles * deviation / np.sqrt(sizes)) & (mean != 0)
    return int(sizes[np.argmax(enough)]) - seeds if enough.any() else None
