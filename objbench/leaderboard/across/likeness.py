"""In what studies are alike, and in what they differ.

Their scores are compared only where the text, its tokens, the options of the objectives (but for tuned
ones), the score and the axis of equal spend are the same; everything else is part of the scale or of
the recipe, and is listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import listed, named
from objbench.judge.score_source import COMMON, HELDOUT, Pair, planned_suite
from objbench.judge.shared_corruption import shared_masking
from objbench.leaderboard.across.studies import Study
from objbench.leaderboard.document import shortened
from objbench.leaderboard.line_words import KIND_WORDS
from objbench.results.records import EvaluationRecord, FloorRecord, PretrainRecord

_LONGEST, _LONGEST_PROTOCOL = 60, 120
# Overrides are listed with their objectives.
_NOT_SETTINGS = ("name", "seeds", "overrides")
_TEXT = ("vocabulary", "train_tokens", "heldout_tokens")


@dataclass(frozen=True, slots=True)
class Likeness:
    """What two studies have in common whose scores can be compared.

    Attributes:
        text: digests of the text's tokens, or what else is known of them.
        score: how the score is measured.
        axis: of equal spend.
        options: values of those in which the compared studies differ.
        words: the same for a reader.
    """

    text: tuple[str, ...]
    score: tuple[str, ...]
    axis: str
    options: tuple[str, ...]
    words: str

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where scores can be compared: the words of the text are a path of one machine."""
        return self.text, self.score, self.axis, self.options


def likenesses(studies: Sequence[Study], pair: Pair, source: str) -> list[Likeness]:
    """What the scores of a pair depend on beyond scale and recipe, study by study.

    Args:
        source: as in ``score_source``.
    """
    has_digests = all(text_digests(study) for study in studies)
    varying = _varying_options(studies, pair)
    return [_likeness(study, pair, source, has_digests, varying) for study in studies]


def _likeness(
    study: Study, pair: Pair, source: str, has_digests: bool, varying: Sequence[tuple[str, str]]
) -> Likeness:
    text, text_words = _text(study, has_digests)
    score, score_words = _score(study, pair, source)
    axis = study.results.plan.equalize
    objectives = {item.name: item for item in study.results.plan.objectives}
    options = tuple(_written(objectives[name].options[option]) for name, option in varying)
    option_words = ", ".join(
        f"{name}: {option} {value}" for (name, option), value in zip(varying, options, strict=True)
    )
    parts = (text_words, shortened(option_words), score_words, _equal(axis))
    return Likeness(text, score, axis, options, "; ".join(part for part in parts if part))


def text_digests(study: Study) -> tuple[str, ...]:
    """The SHA-256 of the tokens that the study was trained and measured on; empty if not recorded."""
    for record in study.results.records.values():
        if isinstance(record, PretrainRecord) and record.kind == "pretrain":
            found = [record.made_from.get(part, "") for part in ("train", "heldout")]
            return tuple(found) if all(found) else ()
    return ()


def recipe(study: Study, pair: Pair) -> str:
    """The kinds of encoder of a pair, such as "modernbert"; the objective's own where it differs."""
    kinds = [_model_type(study, name) for name in (pair.baseline, pair.objective)]
    if kinds[0] == kinds[1]:
        return kinds[0]
    return f"{kinds[0]} ({pair.objective}: {kinds[1]})"


def differences(studies: Sequence[Study], pairs: Sequence[Pair]) -> tuple[tuple[str, str], ...]:
    """The settings in which studies differ -> each value with the studies that have it."""
    names = dict.fromkeys(name for pair in pairs for name in (pair.baseline, pair.objective))
    settings = {study.name: dict(_settings(study, list(names))) for study in studies}
    places = dict.fromkeys(place for own in settings.values() for place in own)
    found = []
    for place in places:
        values: dict[str, list[str]] = {}
        for study in studies:
            value = settings[study.name].get(place, "not set")
            values.setdefault(value, []).append(study.name)
        if len(values) > 1:
            words = [f"{value} ({named(own, 'studies')})" for value, own in values.items()]
            found.append((place, "; ".join(words)))
    return tuple(found)


def _varying_options(studies: Sequence[Study], pair: Pair) -> list[tuple[str, str]]:
    """The options of the pair that all studies have, none has tuned, and in which they differ."""
    found = []
    for name in (pair.baseline, pair.objective):
        own = [o for study in studies for o in study.results.plan.objectives if o.name == name]
        tuned = [place for o in own for place in o.overrides if place.startswith("options.")]
        for option in own[0].options:
            if any(place.endswith(f".{option}") for place in tuned):
                continue
            if all(option in o.options for o in own):
                values = {_written(o.options[option]) for o in own}
                found += [(name, option)] if len(values) > 1 else []
    return found


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _equal(axis: str) -> str:
    return f"at equal {AXIS_WORDS[axis]}"


def _model_type(study: Study, objective: str) -> str:
    own = next(o for o in study.results.plan.objectives if o.name == objective)
    found = own.overrides.get("encoder.model_type") or study.results.plan.model_type
    words = shortened(found) if found else "an unrecorded encoder"
    checkpoint = study.results.plan.checkpoint
    return f"{words} from {checkpoint}" if checkpoint else words


def _text(study: Study, has_digests: bool) -> tuple[tuple[str, ...], str]:
    plan = study.results.plan
    corpus = "/".join(PurePosixPath(plan.corpus).parts[-2:]) or "a text without a name"
    counts = tuple(str(plan.data.get(name, "")) for name in _TEXT)
    words = shortened(corpus, _LONGEST)
    if isinstance(plan.data.get("vocabulary"), int):
        words += f" with a vocabulary of {plan.data['vocabulary']:,}"
    if has_digests:
        return text_digests(study), words
    return (*counts, "" if any(counts) else plan.corpus), words


def _score(study: Study, pair: Pair, source: str) -> tuple[tuple[str, ...], str]:
    suite = planned_suite(study.results, source)
    if suite is None:
        if source == COMMON:
            kind = study.report.common_kind
            return (str(kind),), f"loss of {KIND_WORDS[kind]}" if kind else ""
        masks = shared_masking(
            study.results.plan, source.removeprefix(HELDOUT), (pair.baseline, pair.objective)
        )
        return (masks,), f"masks: {masks}"
    most = {
        record.max_train_samples
        for record in study.results.records.values()
        if isinstance(record, EvaluationRecord)
        and not isinstance(record, FloorRecord)
        and record.suite == source
        and record.train_examples
    }
    limits = sorted(f"{number:,}" for number in most if number is not None)
    groups = json.dumps([list(group) for group in suite.average_groups])
    words = suite.protocol + (f", at most {listed(limits)} training examples" if limits else "")
    identity = (str(suite.version), suite.protocol, suite.average_label, groups, *limits)
    return identity, shortened(words, _LONGEST_PROTOCOL)


def _settings(study: Study, objectives: Sequence[str]) -> Iterator[tuple[str, str]]:
    plan = study.results.plan
    whole = {name: value for name, value in plan.study.items() if name not in _NOT_SETTINGS}
    yield from _flat(whole, "")
    yield "engine version", str(plan.engine_version)
    yield from _flat({name: plan.data.get(name) for name in _TEXT}, "data.")
    for objective in plan.objectives:
        if objective.name in objectives:
            yield from _flat({**objective.options, **objective.overrides}, f"{objective.name}: ")
    if study.report.devices:
        yield "machine", shortened(listed(list(study.report.devices)), _LONGEST)


def _flat(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{before}{name}.")
        else:
            yield shortened(f"{before}{name}", _LONGEST), shortened(_written(value), _LONGEST)
