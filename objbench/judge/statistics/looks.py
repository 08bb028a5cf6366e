"""Levels for judging the same study again when seeds were added, so that looking costs nothing.

Who adds a seed and looks again until something is significant finds a difference in the end, also
where there is none: a nominal 5% becomes 23% with a look at every number of seeds up to 20. Two
ways out, and both only change the critical value of the t-test, so they go through the ``level``
of ``t_interval`` and ``crossing``:

- **Planned looks.** The numbers of seeds at which the study will be judged are declared before it
  starts. Each look spends the part of the error rate that belongs to its share of the seeds (linear
  alpha spending: Lan & DeMets 1983, "Discrete Sequential Boundaries for Clinical Trials", with
  alpha(t) = alpha * t). The critical values c_k solve, under equal objectives and normal differences,

      P(|T_k| > c_k, and |T_j| <= c_j at every earlier look j) = alpha * (n_k - n_(k-1)) / n_K.

- **Any look.** Without a plan the t-statistic's mixture martingale keeps its level whenever one
  looks, and however often (Lai 1976, "On Confidence Sequences", with a normal mixture over the
  effect in units of the standard deviation). It needs about twice the seeds.

Shape legend: K looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.special import stdtr, stdtrit

from objbench.judge.statistics.estimate import LEVEL, MIN_RUNS, FloatArray

# Studies under no difference in the simulation: the last of three critical values is known to 0.002.
_STUDIES = 4_000_000
_SEED = 20_220_501
_MIXTURE = 4.0
"""Seeds that the mixture is worth: its normal has 4 times the variance of the differences."""

_SOLVED: dict[tuple[int, ...], tuple[float, ...]] = {
    (5, 10): (3.4954, 2.5619),
    (5, 10, 20): (4.3147, 3.0149, 2.3432),
    (5, 10, 15, 20): (4.3147, 3.0149, 2.6707, 2.4833),
    (10, 20): (2.6850, 2.3131),
    (3, 5): (5.6428, 3.4440),
    (3, 5, 10): (8.0728, 4.3495, 2.6011),
    (3, 6, 12): (8.8602, 3.7049, 2.5028),
}
"""Critical values at 95% for common plans, as ``_solve`` finds them: it takes seconds."""


def planned_levels(looks: Sequence[int], level: float = LEVEL) -> tuple[float, ...]:
    """The level of the t-interval at each planned look; together they keep ``level``.

    Args:
        looks: K numbers of seeds, rising, the first at least ``MIN_RUNS``.
        level: coverage over all looks, in (0, 1).

    Returns:
        K levels, each the coverage that ``t_interval`` and ``crossing`` are asked for at that look.

    Raises:
        ValueError: the looks do not rise, or the first has too few seeds for an interval.
    """
    plan = tuple(looks)
    if not plan or plan[0] < MIN_RUNS or any(b <= a for a, b in pairwise(plan)):
        raise ValueError(f"looks are rising numbers of seeds from {MIN_RUNS} on, not {looks!r}")
    found = _SOLVED.get(plan) if level == LEVEL else None
    values = _solve(plan, 1.0 - level) if found is None else found
    return tuple(
        1.0 - 2.0 * float(stdtr(seeds - 1, -value))
        for seeds, value in zip(plan, values, strict=True)
    )


def any_look_level(seeds: int, level: float = LEVEL) -> float:
    """The level of the t-interval that holds at every look together, planned or not.

    Half-width: s / sqrt(n) * sqrt((n - 1)(R - 1) / (1 - R / k)) with k = 1 + 4n and
    R = (sqrt(k) / (1 - level))^(2 / n); infinite, and the level 1, where R is k or more.

    Args:
        seeds: n, at least 2.
        level: coverage over all looks, in (0, 1).
    """
    k = 1.0 + _MIXTURE * seeds
    bound = (math.sqrt(k) / (1.0 - level)) ** (2.0 / seeds)
    if bound >= k:
        return 1.0
    value = math.sqrt((seeds - 1) * (bound - 1.0) / (1.0 - bound / k))
    return 1.0 - 2.0 * float(stdtr(seeds - 1, -value))


@lru_cache(maxsize=64)
def _solve(looks: tuple[int, ...], error: float) -> tuple[float, ...]:
    """The critical values of ``planned_levels``: the first exactly, the others by simulation."""
    spent = np.diff((0, *looks)) * (error / looks[-1])
    values = [float(-stdtrit(looks[0] - 1, spent[0] / 2.0))]
    if len(looks) == 1:
        return tuple(values)
    random = np.random.default_rng(_SEED)
    total, squares, before = np.zeros(_STUDIES), np.zeros(_STUDIES), 0
    going_on = np.ones(_STUDIES, dtype=bool)
    for number, seeds in enumerate(looks):
        total, squares = _add_seeds(total, squares, before, seeds - before, random)
        before = seeds
        statistic = np.abs(total) / np.sqrt(squares * seeds / (seeds - 1))
        if number:
            # Less than one study in all is spent where a look adds next to no seeds to a great many.
            rank = max(round(float(spent[number]) * _STUDIES), 1)
            left = statistic[going_on]
            values.append(float(np.partition(left, left.size - rank)[left.size - rank]))
        going_on &= statistic <= values[-1]
    return tuple(values)


def _add_seeds(
    total: FloatArray, squares: FloatArray, before: int, added: int, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Sum and sum of squared deviations after ``added`` further standard normal differences.

    Both are sufficient, so the normals themselves are not drawn: their sum is normal and their own
    squared deviations are chi-square.
    """
    own_total = random.normal(scale=math.sqrt(added), size=total.size)
    own_squares = random.chisquare(added - 1, total.size) if added > 1 else np.zeros(total.size)
    between = np.zeros(total.size)
    if before:
        between = (own_total / added - total / before) ** 2 * (before * added / (before + added))
    return total + own_total, squares + own_squares + between
