"""How the numbers were made: budget, protocols, data, encoder, machine, versions and command.

The plan says what was asked for; the records' provenance says what it was run with. Where records
differ in that, every value is listed with the number of records that have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import DASH, amount, count, listed
from objbench.judge.teacher_costs import budget_words
from objbench.leaderboard.document import shortened
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.records import Provenance
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSettings:
    """An objective as it was planned and run.

    Attributes:
        options, tuned: as "name = value"; tuned are the settings that differ from the study's.
        plugins: the projects and versions that its pretraining was run with.
    """

    planned: PlannedObjective
    options: str
    tuned: str
    plugins: str


def budget_sentence(plan: Plan) -> str:
    """What each objective may spend, in one sentence."""
    others = [o.name for o in plan.objectives if o.name != plan.baseline]
    steps = {o.name: o.steps for o in plan.objectives}
    text = (
        f"Budget: {plan.budget} for the baseline {plan.baseline} ({steps[plan.baseline]:,} steps)"
    )
    if not others:
        return text + "."
    shares = listed([f"{name} {steps[name]:,} steps" for name in others])
    return f"{text}; every other objective gets {same_budget(plan)} ({shares})."


def same_budget(plan: Plan) -> str:
    """What the objectives get the same amount of, and what that leaves out."""
    return f"the same {AXIS_WORDS[plan.equalize]}{budget_words(plan)}"


def seeds_words(plan: Plan) -> str:
    """The pretraining seeds as they were declared, such as "0, 1, 2 first; 3, 4 added later"."""
    rows = [", ".join(map(str, row)) for row in plan.declared]
    if not rows:
        return _value(plan.study.get("seeds", DASH))
    if len(rows) == 1:
        return f"{rows[0]}, declared before the first run"
    return f"{rows[0]} declared first; {'; then '.join(rows[1:])} added later"


def study_settings(results: StudyResults) -> tuple[tuple[str, str], ...]:
    """The study's main settings and what it was run with: names and values."""
    rows = [*_asked(results.plan), *_data(results.plan.data), *_run_with(results)]
    return tuple((name, shortened(value)) for name, value in rows)


def objective_settings(results: StudyResults) -> tuple[ObjectiveSettings, ...]:
    """Each objective's options, tuned settings and plugins, in the order of the plan."""
    plugins: dict[str, set[str]] = {}
    for record in results.records.values():
        if record.kind == "pretrain":
            name = f"{record.plugin.project} {record.plugin.version}"
            plugins.setdefault(record.objective, set()).add(name)
    return tuple(
        ObjectiveSettings(
            planned=item,
            options=assigned(item.options),
            tuned=assigned(item.overrides),
            plugins=", ".join(sorted(plugins.get(item.name, ()))),
        )
        for item in results.plan.objectives
    )


def assigned(settings: Mapping[str, Any]) -> str:
    """Settings as "name = value", sorted by name, on one line."""
    return shortened(", ".join(f"{key} = {_value(v)}" for key, v in sorted(settings.items())))


def _asked(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "budget", f"{plan.budget}, equal {AXIS_WORDS[plan.equalize]}"
    for suite in plan.suites:
        protocol = suite.protocol or f"follows {suite.follows}"
        yield f"{suite.name} (version {suite.version})", protocol
        if suite.seeds:
            yield f"{suite.name} fine-tuning seeds", _value(suite.seeds)
    study = plan.study
    yield "pretraining seeds", seeds_words(plan)
    yield "preset", _value(study.get("preset"))
    for section in ("data", "encoder", "training", "evaluation"):
        for name, value in _leaves(study.get(section, {})):
            yield f"{section}: {name}", _value(value)


def _data(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in _leaves(data):
        yield f"data as read: {name}", _value(value)


def _run_with(results: StudyResults) -> Iterator[tuple[str, str]]:
    made = [record.provenance for record in results.records.values()]
    devices = Counter(item.device for item in made)
    threads = Counter(
        f"{item.processes} {'process' if item.processes == 1 else 'processes'} of "
        f"{count(item.threads, 'thread')}"
        for item in made
    )
    yield "device", _tally(devices)
    yield "run by", _tally(threads)
    yield "versions", ", ".join(_versions(made)) or DASH
    yield "engine version", str(results.plan.engine_version)
    yield "git commit", _tally(Counter(item.git_commit or "none" for item in made))
    others = Counter(item.command for item in made if item.command != results.plan.command)
    if others:
        yield "other commands that made records", _tally(others)


def _versions(made: Sequence[Provenance]) -> Iterator[str]:
    for package in sorted({name for item in made for name in item.versions}):
        versions = {item.versions.get(package, "unknown") for item in made}
        yield f"{package} {' and '.join(sorted(versions))}"


def _tally(found: Counter[str]) -> str:
    """One value as it is; several with how many records carry each."""
    if len(found) <= 1:
        return next(iter(found), DASH)
    return ", ".join(f"{value} ({count(n, 'record')})" for value, n in sorted(found.items()))


def _leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of nested tables with their dotted names, sorted."""
    if isinstance(tree, Mapping):
        for name, below in sorted(tree.items()):
            yield from _leaves(below, f"{path}.{name}" if path else str(name))
    else:
        yield path, tree


def _value(value: object) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value) or DASH
    if isinstance(value, int) and abs(value) >= 10**6:
        return amount(value)
    return shortened(value)
