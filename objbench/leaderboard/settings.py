"""How the numbers were made: budget, protocol, data, encoder, machine, versions and command.

The plan says what was asked for; the records' provenance says what it was run with. Where records
differ in that, every value is named with how many records carry it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import DASH, amount, count, listed, markdown, plain
from objbench.judge.teacher_costs import budget_words
from objbench.results.plan import Plan
from objbench.results.records import Provenance
from objbench.results.study_results import StudyResults


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
    # Before the shares, of which there may be more than a line holds.
    same = f"the same {AXIS_WORDS[plan.equalize]}{budget_words(plan)}"
    return f"{text}; every other objective gets {same} ({shares})."


def seeds_words(plan: Plan) -> str:
    """The pretraining seeds as they were declared, such as "0, 1, 2 first; 3, 4 added later"."""
    rows = [", ".join(map(str, row)) for row in plan.declared]
    if not rows:
        return _value(plan.study.get("seeds", DASH))
    if len(rows) == 1:
        return f"{rows[0]}, declared before the first run"
    return f"{rows[0]} declared first; {'; then '.join(rows[1:])} added later"


def command_block(plan: Plan) -> str:
    """The exact command, as a block to copy."""
    return f"```sh\n{plan.command}\n```"


def settings_table(results: StudyResults) -> str:
    """The study's main settings and what it was run with, one a row."""
    rows = [*_asked(results.plan), *_data(results.plan.data), *_run_with(results)]
    return markdown(pd.DataFrame(rows, columns=["setting", "value"]), left=2)


def objectives_table(results: StudyResults) -> str:
    """Each objective with its options, tuned settings, plugin and budget in steps."""
    lines = []
    for objective in results.plan.objectives:
        plugins = {
            f"{r.plugin.project} {r.plugin.version}"
            for r in results.records.values()
            if r.kind == "pretrain" and r.objective == objective.name
        }
        line = {
            "objective": objective.name,
            "what": plain(objective.summary),
            "steps": f"{objective.steps:,}",
            "options": _assigned(objective.options),
        }
        if any(other.overrides for other in results.plan.objectives):
            line["settings of its own"] = _assigned(objective.overrides)
        line["plugin"] = plain(", ".join(sorted(plugins))) or DASH
        line["reference"] = plain(objective.reference) or DASH
        lines.append(line)
    return markdown(pd.DataFrame(lines), left=7)


def details(plan: Plan) -> str:
    """Every setting of the study and the data's fingerprints, folded away."""
    whole = {"study": plan.study, "data": plan.data}
    text = json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False)
    return f"<details><summary>Every setting</summary>\n\n```json\n{text}\n```\n\n</details>"


def _asked(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "budget", plain(f"{plan.budget}, equal {AXIS_WORDS[plan.equalize]}")
    for suite in plan.suites:
        protocol = suite.protocol or f"follows {suite.follows}"
        yield f"{suite.name} (version {suite.version})", plain(protocol)
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
    devices = Counter(plain(item.device) for item in made)
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
        yield "other commands that made records", plain(_tally(others))


def _versions(made: Sequence[Provenance]) -> Iterator[str]:
    for package in sorted({name for item in made for name in item.versions}):
        versions = {item.versions.get(package, "unknown") for item in made}
        yield plain(f"{package} {' and '.join(sorted(versions))}")


def _tally(found: Counter[str]) -> str:
    """One value as it is; several with how many records carry each."""
    if len(found) <= 1:
        return next(iter(found), DASH)
    return ", ".join(f"{value} ({count(n, 'record')})" for value, n in sorted(found.items()))


def _assigned(settings: Mapping[str, Any]) -> str:
    return plain(", ".join(f"{key} = {_value(v)}" for key, v in sorted(settings.items()))) or DASH


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
        return plain(", ".join(_value(item) for item in value)) or DASH
    if isinstance(value, int) and abs(value) >= 10**6:
        return amount(value)
    return plain(value)
