"""What several studies show of the same pairs: rungs by score, and trends over them.

A trend is a straight line over log10 of the baseline's FLOPs, within one recipe and among studies
whose scores can be compared (``likeness``). All trends of a page are tested at once (Holm, 5%).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from objbench.errors import ConfigError
from objbench.judge.judgement import Judged
from objbench.judge.score_source import COMMON, HELDOUT, Pair, loss_words, score_sources
from objbench.judge.shared_corruption import shared_masking
from objbench.judge.statistics.multiple_tests import ERROR_RATE, holm
from objbench.judge.statistics.trend import MIN_RUNGS, Trend, trend
from objbench.leaderboard.across.likeness import differences, likeness, text_digests
from objbench.leaderboard.across.rungs import Effect, Rung, rung
from objbench.leaderboard.across.studies import Study

# Budgets that differ by less are of one rung: other objectives, other tokens per step.
_SAME_RUNG = math.log10(1.25)

EffectName = Literal["speedup", "gain"]
_EFFECTS: Mapping[EffectName, Callable[[Rung], Effect | None]] = {
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
        is_significant: with all trends of the page tested at once.
    """

    effect: EffectName
    rungs: int
    unmeasured: int
    found: Trend | None
    is_significant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The rungs of one recipe that can be compared, from the smallest budget to the largest.

    Attributes:
        letter: of what is alike in them; "" where that is the same for all of the score.
    """

    recipe: str
    letter: str
    rungs: tuple[Rung, ...]
    trends: tuple[SeriesTrend, ...]

    @property
    def name(self) -> str:
        """What the series is called."""
        return f"{self.recipe} ({self.letter})" if self.letter else self.recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreAcross:
    """One score of a pair in every study that has it.

    Attributes:
        source: as in ``score_source``.
        words: what it is called.
        is_in_bits: whether losses are in bits per character.
        settings: letter -> what the scores of its studies have in common; one, "", where all can
            be compared.
    """

    source: str
    words: str
    is_in_bits: bool
    settings: Mapping[str, str]
    series: tuple[Series, ...]

    @property
    def is_loss(self) -> bool:
        """Whether it is a held-out loss."""
        return self.source.startswith(HELDOUT)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Those of all series, in their order."""
        return tuple(rung for series in self.series for rung in series.rungs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairAcross:
    """An objective against its baseline in every study that has both.

    Attributes:
        scores: those of two studies or more, the common loss first.
        verdicts: study and the verdict there on a claim about the pair.
        without: the studies that do not have the pair.
    """

    pair: Pair
    scores: tuple[ScoreAcross, ...]
    verdicts: tuple[tuple[str, Judged], ...]
    without: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Several studies compared.

    Attributes:
        pairs: those that two studies or more have.
        differences: setting -> its values with the studies that have them.
    """

    studies: tuple[Study, ...]
    pairs: tuple[PairAcross, ...]
    differences: tuple[tuple[str, str], ...]

    @property
    def trends(self) -> tuple[SeriesTrend, ...]:
        """All that were tested."""
        return tuple(
            own
            for pair in self.pairs
            for score in pair.scores
            for series in score.series
            for own in series.trends
            if own.found is not None
        )


def compare(studies: Sequence[Study]) -> Comparison:
    """What the studies show of the pairs that two or more of them have.

    Raises:
        ConfigError: no two studies have a pair in common.
    """
    owners: dict[Pair, list[Study]] = {}
    for study in studies:
        for name in study.report.others:
            owners.setdefault(Pair(name, study.report.baseline), []).append(study)
    common = {pair: own for pair, own in owners.items() if len(own) > 1}
    if not common:
        raise ConfigError(
            "no two of these studies compare the same objective with the same baseline: name "
            "studies of one pair"
        )
    pairs = tuple(_pair(studies, pair, own) for pair, own in common.items())
    found = Comparison(
        studies=tuple(studies), pairs=pairs, differences=differences(studies, list(common))
    )
    return _tested_at_once(found)


def _pair(studies: Sequence[Study], pair: Pair, own: Sequence[Study]) -> PairAcross:
    sources: dict[str, list[Study]] = {}
    for study in own:
        for source in _sources(study, pair):
            sources.setdefault(source, []).append(study)
    order = sorted((name for name in sources if len(sources[name]) > 1), key=lambda n: n != COMMON)
    return PairAcross(
        pair=pair,
        scores=tuple(_score(pair, source, sources[source]) for source in order),
        verdicts=tuple(
            (study.name, item)
            for study in own
            for item in study.report.listed_verdicts
            if Pair(item.file.objective, item.file.baseline) == pair
        ),
        without=tuple(study.name for study in studies if study not in own),
    )


def _sources(study: Study, pair: Pair) -> list[str]:
    """The scores of a pair that say who is better; a term only where both are masked alike."""
    plan = study.results.plan
    same = study.report.common_terms
    return [
        source
        for source in score_sources(study.results, pair)
        if source == COMMON
        or not source.startswith(HELDOUT)
        or (
            source not in same
            and shared_masking(plan, source.removeprefix(HELDOUT), (pair.baseline, pair.objective))
        )
    ]


def _score(pair: Pair, source: str, own: Sequence[Study]) -> ScoreAcross:
    has_digests = all(text_digests(study) for study in own)
    in_bits = source == COMMON and all(study.report.characters_per_token for study in own)
    rungs = [
        rung(study, pair, source, likeness(study, pair, source, has_digests), in_bits)
        for study in own
    ]
    keys = list(dict.fromkeys(item.likeness.key for item in rungs))
    letters = {key: _letter(place) if len(keys) > 1 else "" for place, key in enumerate(keys)}
    words: dict[str, str] = {}
    groups: dict[tuple[str, str], list[Rung]] = {}
    for item in rungs:
        letter = letters[item.likeness.key]
        words.setdefault(letter, item.likeness.words)
        groups.setdefault((item.recipe, letter), []).append(item)
    return ScoreAcross(
        source=source,
        words=source_words(source),
        is_in_bits=in_bits,
        settings=words,
        series=tuple(_series(*name, groups[name]) for name in sorted(groups)),
    )


def source_words(source: str) -> str:
    """What a score is called on a page of several studies."""
    return loss_words(source) if source.startswith(HELDOUT) else f"{source} score"


def _letter(place: int) -> str:
    """A, B and so on; of more than there are letters a number."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def _series(recipe: str, letter: str, rungs: Sequence[Rung]) -> Series:
    ordered = sorted(rungs, key=lambda item: (item.flops or math.inf, item.study))
    return Series(
        recipe=recipe,
        letter=letter,
        rungs=tuple(ordered),
        trends=tuple(_trend(name, ordered) for name in _EFFECTS),
    )


def _trend(name: EffectName, rungs: Sequence[Rung]) -> SeriesTrend:
    there = [
        (math.log10(item.flops), effect)
        for item in rungs
        if item.flops and (effect := _EFFECTS[name](item)) is not None
    ]
    scales = [scale for scale, _ in there]
    number = _different(scales)
    found = None
    if number >= MIN_RUNGS:
        effects = [effect for _, effect in there]
        found = trend(
            np.array(scales),
            np.array([effect.value for effect in effects]),
            np.array([effect.error for effect in effects]),
            np.array([effect.degrees for effect in effects]),
        )
    return SeriesTrend(effect=name, rungs=number, unmeasured=len(rungs) - len(there), found=found)


def _different(scales: Sequence[float]) -> int:
    """How many rungs the budgets are of: those close to the first of a rung belong to it."""
    number, last = 0, -math.inf
    for scale in sorted(scales):
        if scale - last > _SAME_RUNG:
            number, last = number + 1, scale
    return number


def _tested_at_once(found: Comparison) -> Comparison:
    tested = found.trends
    adjusted = holm(np.array([own.found.p_value for own in tested if own.found is not None]))
    real = {id(own): p <= ERROR_RATE for own, p in zip(tested, adjusted, strict=True)}

    def marked(own: SeriesTrend) -> SeriesTrend:
        return replace(own, is_significant=bool(real.get(id(own), False)))

    def of_score(score: ScoreAcross) -> ScoreAcross:
        series = [replace(own, trends=tuple(map(marked, own.trends))) for own in score.series]
        return replace(score, series=tuple(series))

    pairs = [replace(pair, scores=tuple(map(of_score, pair.scores))) for pair in found.pairs]
    return replace(found, pairs=tuple(pairs))
