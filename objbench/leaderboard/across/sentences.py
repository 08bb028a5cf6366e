"""What several studies show, in sentences: each study by itself, and whether an effect changes with scale.

A trend is only named where it is significant, and nothing is said of scales beyond the largest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import MOST_NAMES, amount, count, listed, named, ratio
from objbench.judge.interval_text import interval_text
from objbench.judge.score_source import COMMON
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.verdict import Comparison as Direction
from objbench.leaderboard.across.change_words import foremost_trend, recipe_words
from objbench.leaderboard.across.comparison import (
    Comparison,
    PairAcross,
    ScoreAcross,
    Series,
)
from objbench.leaderboard.across.rungs import Rung
from objbench.leaderboard.run_learning import stuck_words

_MOST_SHOWN = 3
_FASTER: Mapping[Direction, str] = {
    "better": "significantly faster",
    "worse": "significantly slower",
    "unclear": "neither significantly faster nor slower",
}
_BETTER: Mapping[Direction, str] = {
    "better": "significantly better",
    "worse": "significantly worse",
    "unclear": "not significantly different",
}


def headline(found: Comparison) -> str:
    """The sentence on top: for each pair what its first score shows, and the largest scale."""
    shown = found.pairs[:_MOST_SHOWN]
    parts = [pair_words(pair) for pair in shown]
    if len(found.pairs) > len(shown):
        parts.append(f"{count(len(found.pairs) - len(shown), 'more pair')} below")
    largest = _largest(found)
    beyond = f"; nothing here says what happens beyond {largest}" if largest else ""
    return f"{'. '.join(parts)}{beyond}."


def pair_words(found: PairAcross) -> str:
    """What a pair's first score shows, without a full stop."""
    who = f"{found.pair.objective} against {found.pair.baseline}"
    score = first_score(found)
    if score is None:
        return f"{who}: no score of both is in two studies or more, so nothing can be compared"
    shown = [rung for rung in score.rungs if rung.shown is not None]
    lead = f"{who} by {score.words} in {len(score.rungs)} studies"
    if not shown:
        return f"{lead}: nothing can be concluded, because {_why_nothing(score)}"
    series = [own for own in score.series if any(rung.shown for rung in own.rungs)]
    parts = [_series_words(score, own) for own in series]
    if len(series) > MOST_NAMES:
        parts = [_counted(shown)]
    if recipes := recipe_words(score):
        parts.append(recipes)
    if len(shown) < len(score.rungs):
        parts.append(_left_out_words(score))
    return f"{lead}: {_learning_words(score)}{'; '.join(parts)}"


def first_score(found: PairAcross) -> ScoreAcross | None:
    """The score that shows most studies side by side; of equals the first, as the common loss is."""

    def together(score: ScoreAcross) -> int:
        shown = Counter(own.letter for own in score.series for rung in own.rungs if rung.shown)
        return max(shown.values(), default=0)

    return max(found.scores, key=together, default=None)


def axis_words(score: ScoreAcross) -> str:
    """The axis of the speedups, of one setting or of several."""
    axes = dict.fromkeys(AXIS_WORDS[rung.likeness.axis] for rung in score.rungs)
    return listed(list(axes))


def _series_words(score: ScoreAcross, series: Series) -> str:
    shown = [rung for rung in series.rungs if rung.shown is not None]
    if len(shown) > _MOST_SHOWN:
        text = f"{_counted(shown)}, from {_at(shown[0])} to {_at(shown[-1])}"
    else:
        groups: dict[str, list[str]] = {}
        for rung in shown:
            groups.setdefault(_direction(rung), []).append(_at(rung))
        text = ", ".join(f"{words} at {listed(places)}" for words, places in groups.items())
    words = f"with {series.name} {text}"
    if len(series.rungs) < 2:
        return words
    return f"{words}, and {foremost_trend(score, series)}"


def _direction(rung: Rung) -> str:
    words = _FASTER if rung.speedup is not None else _BETTER
    return words[rung.comparison]


def _at(rung: Rung) -> str:
    found = rung.shown
    assert found is not None
    text = found.text
    if found.notation == "speedup":
        # In brackets already: a target that was never reached is a bound.
        bounds = interval_text(found.estimate, found.low, found.high, ratio)
        text = f"{bounds} in {AXIS_WORDS[rung.likeness.axis]}"
    return f"{rung.scale_words} ({text})"


def _counted(shown: Sequence[Rung]) -> str:
    """In how many studies the objective is better, and in how many worse."""
    total = len(shown)
    parts = []
    for direction in ("better", "worse"):
        own = [rung for rung in shown if rung.comparison == direction]
        if own:
            parts.append(f"{_direction(own[0])} in {len(own)} of {total} studies")
    return listed(parts) if parts else f"not significantly different in any of {total} studies"


def _why_nothing(score: ScoreAcross) -> str:
    whys = dict.fromkeys(rung.held_back or rung.why for rung in score.rungs)
    if len(whys) == 1 and "" not in whys:
        return next(iter(whys))
    return f"no study has {MIN_RUNS} pairs of runs that are complete and learnt, and a score that shows it"


def _left_out_words(score: ScoreAcross) -> str:
    """Which study shows nothing, or how many, and why where that is one reason."""
    left = [rung for rung in score.rungs if rung.shown is None]
    first = left[0]
    if len(left) == 1 and not (first.held_back or first.why) and _has_stuck(first):
        is_alone = [rung.recipe for rung in score.rungs].count(first.recipe) == 1
        which = first.recipe if is_alone else f"{first.recipe} at {first.scale_words}"
        return f"with {which} nothing can be concluded, because {stuck_words(first.learnt)}"
    whys = dict.fromkeys(rung.held_back or rung.why or "too few runs learnt" for rung in left)
    show = "1 study shows" if len(left) == 1 else f"{len(left)} studies show"
    why = (
        next(iter(whys))
        if len(whys) == 1
        else "they have too few runs or no score that can show it"
    )
    return f"{show} nothing, because {why}"


def _learning_words(score: ScoreAcross) -> str:
    """That comparisons are over some of the runs; "" where they are over all."""
    return "among runs that learnt, " if any(map(_has_stuck, score.rungs)) else ""


def _has_stuck(rung: Rung) -> bool:
    """Whether a run of the study is known to be stuck."""
    return any(own.seeds("stuck") for own in rung.learnt)


def _largest(found: Comparison) -> str:
    """The largest scale of any study."""
    scales = [own.report.scale for own in found.studies if own.report.scale is not None]
    if not scales:
        return ""
    parameters, tokens = max(s.parameters for s in scales), max(s.tokens for s in scales)
    return f"{amount(parameters)} parameters and {amount(tokens)} tokens"


def compared_sentence(found: Comparison) -> str:
    """Which studies are compared, and which lack a pair."""
    names = [study.name for study in found.studies]
    lead = f"{len(names)} studies are compared: {listed(names)}." if len(names) <= 10 else ""
    lead = lead or f"{len(names)} studies are compared."
    without = [
        f"{found_pair.pair.objective} against {found_pair.pair.baseline} is not in "
        f"{named(found_pair.without, 'studies')}"
        for found_pair in found.pairs
        if found_pair.without
    ]
    rest = f" {listed(without[:_MOST_SHOWN])}." if without else ""
    return lead + rest


def settings_sentences(score: ScoreAcross) -> list[str]:
    """What the studies of each letter have in common; nothing where all can be compared."""
    if len(score.settings) < 2:
        return []
    kind = "losses" if score.source == COMMON else "scores"
    lead = (
        f"Only studies of one letter are compared: the {kind} of the others are of another text, "
        "protocol, axis or objective."
    )
    return [
        lead,
        *(f"{letter}: {words}." for letter, words in score.settings.items()),
    ]
