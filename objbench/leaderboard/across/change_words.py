"""How an effect changes, in words: over the scales of a recipe, and from recipe to recipe.

A change is only named where it is significant with all changes of the page tested at once.
"""

from __future__ import annotations

import math

from objbench.judge.formatting import amount, count, listed
from objbench.judge.statistics.contrast import Contrast
from objbench.judge.statistics.multiple_tests import ERROR_RATE
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.trend import MIN_RUNGS
from objbench.leaderboard.across.changes import (
    EFFECTS,
    EffectName,
    RecipeDifference,
    SeriesTrend,
)
from objbench.leaderboard.across.comparison import Comparison, ScoreAcross, Series
from objbench.leaderboard.quantity import Notation, Quantity
from objbench.leaderboard.text_bits import BITS

_MOST_NAMED = 3
# Of an error that leaves everything open the ends of a factor would have hundreds of digits.
_MOST_LOG = math.log(1e6)


def gain_unit(score: ScoreAcross) -> str:
    """The unit of a gain."""
    if not score.is_loss:
        return "points"
    return BITS if score.is_in_bits else "nats per token"


def change_quantity(score: ScoreAcross, effect: EffectName, found: Contrast) -> Quantity:
    """A change with its interval: a factor of speedups, a difference of gains."""
    values = [found.value, found.low, found.high]
    notation: Notation = "loss gain" if score.is_loss else "gain"
    if effect == "speedup":
        values = [math.exp(min(max(value, -_MOST_LOG), _MOST_LOG)) for value in values]
        notation = "speedup"
    value, low, high = map(Bound, values)
    return Quantity(estimate=value, low=low, high=high, notation=notation)


def trend_sentences(score: ScoreAcross) -> list[str]:
    """One point per recipe of several studies on whether its effects change with scale."""
    found = []
    for series in score.series:
        if len(series.rungs) < 2:
            continue
        tested = [own for own in series.trends if own.found is not None]
        texts = [_trend_words(score, own) for own in tested]
        if not tested:
            texts = [_too_few(series)]
        left = [text for own in tested if (text := _unmeasured(series, own))]
        found.append(" ".join([f"With {series.name}, {'; '.join(texts)}.", *left]))
    return found


def foremost_trend(score: ScoreAcross, series: Series) -> str:
    """What is said of the trend of speedups, or of gains where there is none."""
    tested = [own for own in series.trends if own.found is not None]
    return _trend_words(score, tested[0]) if tested else _too_few(series)


def recipe_words(score: ScoreAcross) -> str:
    """Whether the effect depends on the recipe, by that effect of which more is known; "" if unknown."""
    of_each = {name: [own for own in score.recipes if own.effect == name] for name in EFFECTS}
    effect = max(of_each, key=lambda name: len(of_each[name]))
    tested = of_each[effect]
    if not tested:
        return ""
    real = [own for own in tested if own.is_significant]
    if not real:
        return f"no significant difference in the {effect} between encoders"
    texts = [_difference_words(score, own) for own in real[:_MOST_NAMED]]
    if len(real) > _MOST_NAMED:
        texts.append(f"{len(real) - _MOST_NAMED} more")
    return f"the {effect} depends on the encoder: {listed(texts)}"


def correction_sentence(found: Comparison) -> str:
    """How changes are corrected for each other; "" for fewer than two."""
    number = len(found.tested)
    if number < 2:
        return ""
    what = "trends and differences of encoders" if found.has_trends else "differences of encoders"
    return (
        f"The {number} {what} on this page are tested at once (Holm, {100 * ERROR_RATE:g}% in "
        "all); each interval is that of its change alone."
    )


def _too_few(series: Series) -> str:
    rungs = max(own.rungs for own in series.trends)
    if not rungs:
        return f"no scale has an interval, and a trend needs {MIN_RUNGS}"
    are = "is" if rungs == 1 else "are"
    return f"{count(rungs, 'scale')} {are} too few for a trend ({MIN_RUNGS} are needed)"


def _trend_words(score: ScoreAcross, own: SeriesTrend) -> str:
    assert own.found is not None
    per = f"{_change(score, own.effect, own.found)} for ten times the FLOPs"
    if not own.is_significant:
        return f"no trend of the {own.effect} with scale can be seen ({per})"
    direction = "rises" if own.found.value > 0 else "falls"
    return f"the {own.effect} {direction} with scale ({per})"


def _difference_words(score: ScoreAcross, own: RecipeDifference) -> str:
    first, second = own.recipes
    scale = own.rungs[0].scale
    at = f" at {amount(scale.parameters)} parameters" if scale is not None else ""
    change = _change(score, own.effect, own.found)
    if own.effect == "speedup":
        return f"with {first} it is {change} that with {second}{at}"
    return f"with {first} less that with {second} it is {change}{at}"


def _change(score: ScoreAcross, effect: EffectName, found: Contrast) -> str:
    text = change_quantity(score, effect, found).text
    return text if effect == "speedup" else f"{text} {gain_unit(score)}"


def _unmeasured(series: Series, own: SeriesTrend) -> str:
    if not own.unmeasured:
        return ""
    are = "is" if own.unmeasured == 1 else "are"
    return (
        f"{own.unmeasured} of {len(series.rungs)} studies {are} not in the trend of the "
        f"{own.effect}, which has no measured interval there."
    )
