"""What several studies show of the same pairs: rungs by score, and how they change.

Effects are compared among studies whose scores can be (``likeness``). All trends over scales and all
differences of recipes of a page are tested at once (Holm, 5%).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from objbench.errors import ConfigError
from objbench.judge.judgement import Judged
from objbench.judge.score_source import COMMON, HELDOUT, Pair, loss_words, score_sources
from objbench.judge.shared_corruption import shared_masking
from objbench.judge.statistics.multiple_tests import ERROR_RATE, holm
from objbench.leaderboard.across.changes import (
    RecipeDifference,
    SeriesTrend,
    recipe_differences,
    series_trends,
)
from objbench.leaderboard.across.likeness import differences, likenesses
from objbench.leaderboard.across.rungs import Rung, rung
from objbench.leaderboard.across.studies import Study


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
        recipes: two recipes at one scale, among studies of one letter.
    """

    source: str
    words: str
    is_in_bits: bool
    settings: Mapping[str, str]
    series: tuple[Series, ...]
    recipes: tuple[RecipeDifference, ...]

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
    def tested(self) -> tuple[SeriesTrend | RecipeDifference, ...]:
        """All trends and differences that are tested at once."""
        scores = [score for pair in self.pairs for score in pair.scores]
        trends = (own for score in scores for one in score.series for own in one.trends)
        differences = (own for score in scores for own in score.recipes)
        return (*(own for own in trends if own.found is not None), *differences)

    @property
    def has_trends(self) -> bool:
        """Whether a trend was tested."""
        return any(isinstance(own, SeriesTrend) for own in self.tested)


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
    in_bits = source == COMMON and all(study.report.characters_per_token for study in own)
    alike = likenesses(own, pair, source)
    rungs = [
        rung(study, pair, source, same, in_bits) for study, same in zip(own, alike, strict=True)
    ]
    keys = list(dict.fromkeys(item.likeness.key for item in rungs))
    letters = {key: _letter(place) if len(keys) > 1 else "" for place, key in enumerate(keys)}
    words: dict[str, str] = {}
    groups: dict[tuple[str, str], list[Rung]] = {}
    for item in rungs:
        letter = letters[item.likeness.key]
        words.setdefault(letter, item.likeness.words)
        groups.setdefault((item.recipe, letter), []).append(item)
    series = tuple(_series(*name, groups[name]) for name in sorted(groups))
    return ScoreAcross(
        source=source,
        words=source_words(source),
        is_in_bits=in_bits,
        settings=words,
        series=series,
        recipes=tuple(
            own
            for letter in words
            for own in recipe_differences(
                {one.name: one.rungs for one in series if one.letter == letter}
            )
        ),
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
        trends=series_trends(ordered),
    )


def _tested_at_once(found: Comparison) -> Comparison:
    tested = found.tested
    adjusted = holm(np.array([own.found.p_value for own in tested if own.found is not None]))
    real = {id(own): bool(p <= ERROR_RATE) for own, p in zip(tested, adjusted, strict=True)}

    def of_score(score: ScoreAcross) -> ScoreAcross:
        series = [
            replace(
                one,
                trends=tuple(
                    replace(own, is_significant=real.get(id(own), False)) for own in one.trends
                ),
            )
            for one in score.series
        ]
        recipes = [replace(own, is_significant=real[id(own)]) for own in score.recipes]
        return replace(score, series=tuple(series), recipes=tuple(recipes))

    pairs = [replace(pair, scores=tuple(map(of_score, pair.scores))) for pair in found.pairs]
    return replace(found, pairs=tuple(pairs))
