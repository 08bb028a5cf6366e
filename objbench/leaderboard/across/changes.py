"""How an effect changes: over the scales of one recipe, and from recipe to recipe at one scale.

A trend is a straight line over log10 of the baseline's FLOPs. A difference of recipes is that of two
studies of one scale. Both rest on the studies' own seeds (``judge.statistics.contrast``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from objbench.judge.statistics.contrast import Contrast, contrast
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.trend import MIN_RUNGS, trend
from objbench.leaderboard.across.rungs import Effect, Rung

# Budgets that differ by less are of one rung: other objectives, other tokens per step.
SAME_RUNG = 1.25
_SAME = math.log10(SAME_RUNG)

EffectName = Literal["speedup", "gain"]
EFFECTS: Mapping[EffectName, Callable[[Rung], Effect | None]] = {
    "speedup": Rung.speedup_effect,
    "gain": Rung.gain_effect,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """How one effect changes over the rungs of a series.

    Attributes:
        effect: the speedup (its natural logarithm) or the gain.
        rungs: different scales at which it has an error.
        unmeasured: studies of the series at which it has none.
        found: the change for ten times the FLOPs; None for fewer than ``MIN_RUNGS`` rungs.
        is_significant: with all changes of the page tested at once.
    """

    effect: EffectName
    rungs: int
    unmeasured: int
    found: Contrast | None
    is_significant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecipeDifference:
    """One effect with two recipes at one scale.

    Attributes:
        effect: the speedup (its natural logarithm) or the gain.
        recipes: the names of the two series.
        rungs: the two studies.
        found: the first less the second.
        is_significant: with all changes of the page tested at once.
    """

    effect: EffectName
    recipes: tuple[str, str]
    rungs: tuple[Rung, Rung]
    found: Contrast
    is_significant: bool = False


def series_trends(rungs: Sequence[Rung]) -> tuple[SeriesTrend, ...]:
    """The trend of each effect over the rungs of one series."""
    return tuple(_trend(name, rungs) for name in EFFECTS)


def recipe_differences(series: Mapping[str, Sequence[Rung]]) -> tuple[RecipeDifference, ...]:
    """The difference of each effect between any two recipes at one scale.

    Args:
        series: name -> the rungs of each recipe, of studies whose scores can be compared.
    """
    names = list(series)
    found = []
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            for one in series[first]:
                for other in series[second]:
                    if _is_same_rung(one, other):
                        found += _differences((first, second), (one, other))
    return tuple(found)


def _differences(recipes: tuple[str, str], rungs: tuple[Rung, Rung]) -> list[RecipeDifference]:
    made = []
    for name, effect_of in EFFECTS.items():
        one, other = effect_of(rungs[0]), effect_of(rungs[1])
        if one is not None and other is not None:
            found = contrast(np.array([1.0, -1.0]), *_arrays([one, other]))
            made.append(RecipeDifference(effect=name, recipes=recipes, rungs=rungs, found=found))
    return made


def _is_same_rung(one: Rung, other: Rung) -> bool:
    if not one.flops or not other.flops:
        return False
    return abs(math.log10(one.flops / other.flops)) <= _SAME


def _trend(name: EffectName, rungs: Sequence[Rung]) -> SeriesTrend:
    there = [
        (math.log10(item.flops), effect)
        for item in rungs
        if item.flops and (effect := EFFECTS[name](item)) is not None
    ]
    scales = [scale for scale, _ in there]
    number = _different(scales)
    found = None
    if number >= MIN_RUNGS:
        found = trend(np.array(scales), *_arrays([effect for _, effect in there]))
    return SeriesTrend(effect=name, rungs=number, unmeasured=len(rungs) - len(there), found=found)


def _arrays(effects: Sequence[Effect]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Estimates, errors and degrees of freedom, (K,) float64 each."""
    return (
        np.array([effect.value for effect in effects]),
        np.array([effect.error for effect in effects]),
        np.array([effect.degrees for effect in effects]),
    )


def _different(scales: Sequence[float]) -> int:
    """How many rungs the budgets are of: those close to the first of a rung belong to it."""
    number, last = 0, -math.inf
    for scale in sorted(scales):
        if scale - last > _SAME:
            number, last = number + 1, scale
    return number
