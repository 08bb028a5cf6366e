"""A stranger's plan made again from its own settings: the same cells with the same keys, or not.

A key is of all that determines a cell: settings, steps, seed, text and the source of the code. All
but two of these are in the plan; what is missing here is then said, and the rest is compared all
the same. A plugin is installed here with the source that its records name, or its cells are left
out; and a suite whose data are not here too, as its keys are of the data. The key of the text is
taken from the plan: nothing of the text is opened.

Nothing is opened either that the plan names by a path, which would be a path of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from objbench.contract.composition import plugins_of, recorded_options
from objbench.engine import ENGINE_VERSION
from objbench.errors import ConfigError, ObjbenchError, one_line
from objbench.judge.formatting import count
from objbench.plugins.registry import Registry
from objbench.results.json_files import content_key
from objbench.results.plan import TUNING_KINDS, Plan, PlannedCell
from objbench.results.records import PretrainRecord
from objbench.results.step_cost import StepCost
from objbench.results.study_results import StudyResults
from objbench.runs.planning.cell_count import count_cells, require_countable
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.restated_settings import restated_faults
from objbench.runs.planning.retuned import retuned, why_not
from objbench.runs.planning.usable_part import Options, UsablePart
from objbench.study.settings import WITHOUT_EFFECT_ON_NUMBERS
from objbench.study.study import Study, build_study

_COMPARED = tuple(name for name in PlannedCell.model_fields if name != "id")


@dataclass(frozen=True, slots=True)
class Replanned:
    """What came of making a plan again.

    Attributes:
        faults: in what it is another plan, one line each.
        unchecked: what could not be made again here, and why, one line each.
        cells: the ids of the cells whose keys were made again and are the same.
    """

    faults: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    cells: set[str] = field(default_factory=set)


def replanned(results: StudyResults, registry: Registry, options: Options) -> Replanned:
    """Make the plan of a study again.

    Args:
        results: from a stranger; its records say what source they were run with.
        registry: the installed plugins, as far as the plan names them.
        options: see ``Options``.

    Raises:
        ConfigError: one of the options is of no suite of the study.
    """
    plan, records, found = results.plan, results.records, Replanned()
    is_older = plan.engine_version != ENGINE_VERSION
    if is_older:
        found.unchecked.append(
            f"no key: the study was run by engine version {plan.engine_version}, and this is "
            f"version {ENGINE_VERSION}"
        )
    try:
        study = build_study([plan.study], "plan.json")
    except ObjbenchError as error:
        # Another version may have had other settings.
        (found.unchecked if is_older else found.faults).append(one_line(error)[:400])
        return found
    found.faults.extend(restated_faults(plan, study))
    if found.faults or is_older:
        return found
    sources = {record.plugin.name: record.plugin.source for record in records.values()}
    study = _with_options(study, options)
    usable = UsablePart(study, registry, sources, options)
    reduced, plugins = usable.study_and_plugins()
    found.unchecked.extend(dict.fromkeys(usable.reasons))
    if plugins is None:
        return found
    # With all objectives and the trials, which are made again too.
    whole = study.model_copy(update={"evaluation": reduced.evaluation})
    try:
        require_countable(whole, plugins)
        _require_as_many(plan, count_cells(whole, plugins).of.total())
        costs, devices = _costs(plan), _devices(results)
        made = make_plan(
            reduced,
            plugins,
            name=plan.name,
            command=plan.command,
            data=plan.data,
            costs=costs,
            devices=devices,
            declared=plan.declared,
            looks=plan.looks,
        )
        why = why_not(study, reduced)
        trials: list[PlannedCell] | None = None
        if not why:
            trials, wrong = retuned(plan, whole, registry, records, results.lines, costs, devices)
            found.faults.extend(wrong)
        found.faults.extend(_config_faults(results, study, plugins))
    # What a stranger's settings make of the planner is no bug of ours.
    except (ObjbenchError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        found.faults.append(f"plan.json: it cannot be made again: {one_line(error)[:300]}")
        return found
    _compare(plan, made, trials, found)
    if why:
        untried = sum(cell.kind in TUNING_KINDS for cell in plan.cells)
        found.unchecked.append(
            f"the keys of {count(untried, 'cell')} that tuned, and whether they choose these settings: "
            f"{why}"
        )
    return found


def _require_as_many(plan: Plan, cells: int) -> None:
    """Refuse to make far more cells than a plan has; those of a few that it lacks are named.

    Raises:
        ConfigError: its study makes more than twice as many.
    """
    if cells > 2 * len(plan.cells):
        raise ConfigError(
            f"its study makes {count(cells, 'cell')}, and it has {len(plan.cells):,} of them"
        )


def _with_options(study: Study, options: Options) -> Study:
    """The study with the options of this machine.

    Raises:
        ConfigError: one is of no suite of the study: it would be another study.
    """
    for name in options:
        if name not in study.evaluation.suites:
            raise ConfigError(
                f"--set {name}: only a suite of the study takes options here, to say where its data "
                f"are ({', '.join(study.evaluation.suites) or 'it has none'})"
            )
    merged = {**study.options}
    for name, own in options.items():
        merged[name] = {**merged.get(name, {}), **own}
    return study.model_copy(update={"options": merged})


def _devices(results: StudyResults) -> int:
    return max((r.provenance.processes for r in results.records.values()), default=1)


def _costs(plan: Plan) -> dict[str, StepCost]:
    """Objective -> what a step of it cost, as the plan has it."""
    return {
        o.name: StepCost(
            tokens=float(o.tokens_per_step),
            flops=o.flops_per_step,
            seconds=o.seconds_per_step,
            rate=o.rate,
            phases=o.phases,
        )
        for o in plan.objectives
    }


def _compare(
    plan: Plan, made: Plan, trials: Sequence[PlannedCell] | None, found: Replanned
) -> None:
    """Note where ``plan`` is not ``made``, which may have fewer objectives and suites.

    Args:
        trials: the cells that tuned, made again; None where they could not be.
    """
    found.faults.extend(_parts_faults("objective", made.objectives, plan.objectives))
    found.faults.extend(_parts_faults("suite", made.suites, plan.suites))
    again = {cell.id: cell for cell in (*(trials or ()), *made.cells)}
    sent = {c.id: c for c in plan.cells if trials is not None or c.kind not in TUNING_KINDS}
    objectives = {objective.name for objective in made.objectives}
    suites = {"", *(suite.name for suite in made.suites)}
    for name in again.keys() - sent.keys():
        found.faults.append(f"plan.json: the cell {name} of its study is left out")
    for name, cell in sent.items():
        own = again.get(name)
        if own is None:
            if cell.objective in objectives and cell.suite in suites:
                found.faults.append(f"plan.json: {name} is no cell of its study")
        elif wrong := [n for n in _COMPARED if getattr(own, n) != getattr(cell, n)]:
            are = "is" if len(wrong) == 1 else "are"
            found.faults.append(
                f"{cell.kind} {name}: its {', '.join(wrong)} {are} not what the plan's settings give"
            )
        else:
            found.cells.add(name)


def _config_faults(
    results: StudyResults, study: Study, plugins: ConfiguredPlugins
) -> Iterator[str]:
    """Pretrainings whose records say that they had other settings than the plan gives them."""
    for name, record in results.records.items():
        if not isinstance(record, PretrainRecord) or record.objective not in plugins.objectives:
            continue
        own = study.for_objective(record.objective, results.cells[name].settings)
        wanted: dict[str, Any] = {
            **own.model_dump(mode="json", include={"encoder", "data", "training"}),
            "options": recorded_options(plugins.config(own, record.objective)),
        }
        # A setting that no number depends on may change while a study runs, and a corpus may move.
        for place, value in {**record.config, "data_key": None}.items():
            theirs, ours = value, wanted.get(place)
            if isinstance(theirs, dict) and isinstance(ours, dict):
                free = {*WITHOUT_EFFECT_ON_NUMBERS, "corpus", "tokenizer"}
                theirs = {n: v for n, v in theirs.items() if n not in free}
                ours = {n: ours.get(n) for n in theirs}
            if content_key({"": theirs}) != content_key({"": ours}):
                yield f"{record.kind} {name}: its {place} is not what the plan's settings give"
        if record.config.get("data_key") != results.plan.data["key"]:
            yield f"{record.kind} {name}: its text is not that of the plan"


def _parts_faults(what: str, made: Sequence[Any], sent: Sequence[Any]) -> Iterator[str]:
    """Objectives or suites of a plan that are not those of the plan that was made again."""
    named = {item.name: item for item in sent}
    for own in made:
        other = named.get(own.name)
        if other is None:
            yield f"plan.json: the {what} {own.name} of its study is left out"
            continue
        for name in type(own).model_fields:
            if getattr(own, name) != getattr(other, name):
                yield (
                    f"plan.json: the {name.replace('_', ' ')} of {what} {own.name} is not what its "
                    "settings give"
                )


def plugins_named(plan: Plan) -> tuple[str, ...]:
    """The plugins that a plan's objectives and suites are made of."""
    return plugins_of([*(o.name for o in plan.objectives), *(s.name for s in plan.suites)])
