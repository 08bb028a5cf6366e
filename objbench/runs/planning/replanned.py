"""A stranger's plan made again from its own settings: the same cells with the same keys, or not.

A key is of all that determines a cell: settings, steps, seed, text and the source of the code. All
but two of these are in the plan; what is missing here is then said, and the rest is compared all
the same. A plugin is installed here with the source that its records name, or its cells are left
out; and a suite whose data are not here too, as its keys are of the data. The key of the text is
taken from the plan: nothing of the text is opened.

Nothing is opened either that the plan names by a path, which would be a path of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from objbench.contract.composition import plugins_of
from objbench.engine import ENGINE_VERSION
from objbench.errors import ObjbenchError, UnknownNameError, one_line
from objbench.judge.formatting import count
from objbench.plugins.registry import Registry
from objbench.plugins.source_digest import source_digest
from objbench.results.plan import TUNING_KINDS, Plan, PlannedCell
from objbench.results.records import AnyRecord
from objbench.results.step_cost import StepCost
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.planner import make_plan
from objbench.study.study import Study, build_study

Options = Mapping[str, Mapping[str, Any]]
"""Suite -> option -> value, in place of the plan's: where its data are on this machine."""

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


def replanned(
    plan: Plan, records: Mapping[str, AnyRecord], registry: Registry, options: Options
) -> Replanned:
    """Make ``plan`` again.

    Args:
        plan: from a stranger.
        records: cell id -> its record, which says what source it was run with.
        registry: the installed plugins, as far as the plan names them.
        options: see ``Options``.
    """
    found = Replanned()
    if plan.engine_version != ENGINE_VERSION:
        found.unchecked.append(
            f"no key: the study was run by engine version {plan.engine_version}, and this is "
            f"version {ENGINE_VERSION}"
        )
        return found
    try:
        study = build_study([plan.study], "plan.json")
    except ObjbenchError as error:
        found.faults.append(one_line(error)[:400])
        return found
    found.faults.extend(_head_faults(plan, study))
    if found.faults:
        return found
    sources = {record.plugin.name: record.plugin.source for record in records.values()}
    usable = _Usable(study, registry, sources, options)
    reduced, plugins = usable.study_and_plugins()
    found.unchecked.extend(usable.reasons)
    if plugins is None:
        return found
    try:
        require_countable(reduced, plugins)
        made = _made(plan, reduced, plugins, records)
    # What a stranger's settings make of the planner is no bug of ours.
    except (ObjbenchError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        found.faults.append(f"plan.json: it cannot be made again: {one_line(error)[:300]}")
        return found
    _compare(plan, made, found)
    return found


def _head_faults(plan: Plan, study: Study) -> Iterator[str]:
    """Where the settings that the plan repeats are not those of its study."""
    names = [objective.name for objective in plan.objectives]
    for what, said, of_study in (
        ("objectives", names, list(study.objectives)),
        ("baseline", plan.baseline, study.objectives[0]),
        ("budget", plan.budget, study.budget),
        ("equalize", plan.equalize, study.equalize),
    ):
        if said != of_study:
            yield f"plan.json: its {what} are not those of its study"
    if not isinstance(plan.data.get("key"), str):
        yield "plan.json: its data have no key"


class _Usable:
    """The part of a study whose plugins and data are here, and why the rest is not.

    Args:
        study: the stranger's.
        registry: what is installed.
        sources: name of a plugin -> the digest of its source, as its records have it.
        options: see ``Options``.
    """

    def __init__(
        self, study: Study, registry: Registry, sources: Mapping[str, str], options: Options
    ) -> None:
        self.reasons: list[str] = []
        self._study, self._registry, self._sources = study, registry, sources
        self._options = options

    def study_and_plugins(self) -> tuple[Study, ConfiguredPlugins | None]:
        """The study with what can be used, and its plugins; None where the baseline cannot."""
        study = self._study
        objectives = tuple(n for n in study.objectives if self._is_here(n, "objective"))
        if study.objectives[0] not in objectives:
            self.reasons.append("no key: without the baseline there is no budget")
            return study, None
        merged = {**study.options}
        for name, own in self._options.items():
            merged[name] = {**merged.get(name, {}), **own}
        study = study.model_copy(
            update={
                "objectives": objectives,
                "options": merged,
                "overrides": {n: o for n, o in study.overrides.items() if n in objectives},
                "tuning": None,
            }
        )
        suites = [
            name
            for name in study.evaluation.suites
            if self._is_here(name, "suite") and self._is_open(name, merged.get(name, {}))
        ]
        while True:
            evaluation = study.evaluation.model_copy(update={"suites": tuple(suites)})
            try:
                reduced = study.model_copy(update={"evaluation": evaluation})
                plugins = configure_plugins(reduced, self._registry)
                break
            except ObjbenchError as error:
                if not suites:
                    self.reasons.append(f"no key: {one_line(error)[:200]}")
                    return study, None
                # One suite after the other: the last is the first suspect.
                self.reasons.append(f"the keys of {suites.pop()}: {one_line(error)[:200]}")
        usable = [name for name in suites if self._has_data(name, plugins)]
        for name, curve in plugins.curves.items():
            follows = curve.follows(tuple(n for n in self._study.evaluation.suites if n != name))
            if name in usable and follows not in usable:
                usable.remove(name)
                self.reasons.append(f"the keys of {name}: those of {follows} are not known")
        evaluation = evaluation.model_copy(update={"suites": tuple(usable)})
        reduced = reduced.model_copy(update={"evaluation": evaluation})
        return reduced, configure_plugins(reduced, self._registry)

    def _is_here(self, name: str, kind: str) -> bool:
        """Whether a plugin is installed with the source that its records name."""
        try:
            found = (
                self._registry.objective(name)
                if kind == "objective"
                else self._registry.suite(name)
            )
            own = source_digest(found)
        except (ObjbenchError, LookupError) as error:
            why = "it is not installed here" if isinstance(error, UnknownNameError) else str(error)
            self.reasons.append(f"the keys of {name}: {one_line(why)[:200]}")
            return False
        if name not in self._sources:
            self.reasons.append(f"the keys of {name}: no record says what source it has")
        elif own != self._sources[name]:
            self.reasons.append(
                f"the keys of {name}: its source is {self._sources[name][:12]}, and the one "
                f"installed here is {own[:12]}"
            )
        return self._sources.get(name) == own

    def _is_open(self, name: str, options: Mapping[str, Any]) -> bool:
        """Whether no option of a suite is a path that only the stranger has chosen."""
        own = self._options.get(name, {})
        for option, value in options.items():
            if option not in own and isinstance(value, str) and ("/" in value or "\\" in value):
                self.reasons.append(
                    f"the keys of {name}: say where its data are here with --set "
                    f"{name}.{option}=DIR (there: {one_line(value)[:80]})"
                )
                return False
        return True

    def _has_data(self, name: str, plugins: ConfiguredPlugins) -> bool:
        suite = plugins.suites.get(name)
        try:
            for task in suite.tasks() if suite is not None else ():
                suite.fingerprint(task)  # type: ignore[union-attr]
        except (ObjbenchError, OSError) as error:
            self.reasons.append(f"the keys of {name}: {one_line(error)[:200]}")
            return False
        return True


def _made(
    plan: Plan, study: Study, plugins: ConfiguredPlugins, records: Mapping[str, AnyRecord]
) -> Plan:
    costs = {
        o.name: StepCost(
            tokens=float(o.tokens_per_step),
            flops=o.flops_per_step,
            seconds=o.seconds_per_step,
            rate=o.rate,
        )
        for o in plan.objectives
    }
    return make_plan(
        study,
        plugins,
        name=plan.name,
        command=plan.command,
        data=plan.data,
        costs=costs,
        devices=max((r.provenance.processes for r in records.values()), default=1),
        declared=plan.declared,
        looks=plan.looks,
    )


def _compare(plan: Plan, made: Plan, found: Replanned) -> None:
    """Note where ``plan`` is not ``made``, which may have fewer objectives and suites."""
    found.faults.extend(_parts_faults("objective", made.objectives, plan.objectives))
    found.faults.extend(_parts_faults("suite", made.suites, plan.suites))
    sent = {cell.id: cell for cell in plan.cells if cell.kind not in TUNING_KINDS}
    again = {cell.id: cell for cell in made.cells}
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
    trials = [cell for cell in plan.cells if cell.kind in TUNING_KINDS]
    if trials:
        found.unchecked.append(
            f"the keys of {count(len(trials), 'cell')} that tuned, and whether they choose these "
            "settings"
        )


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
