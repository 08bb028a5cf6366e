"""From a study to its plan: how many steps each objective gets, and the cells of the study.

Apart from reading plugin sources this is pure: no training, no clock. The costs of a step are
measured elsewhere (``engine.measuring.step_cost``) and decide the steps of each objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from pydantic import ValidationError

from objbench.contract.composition import recorded_options
from objbench.contract.phases import has_phases
from objbench.engine import ENGINE_VERSION
from objbench.errors import BudgetError, ConfigError
from objbench.results.agreement import suite_misfits
from objbench.results.evaluation_points import export_steps
from objbench.results.json_files import fault
from objbench.results.plan import Plan, PlannedCell, PlannedObjective, PlannedSuite
from objbench.results.planned_suites import planned_suite
from objbench.results.step_cost import StepCost
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.curve_cells import by_objective, curve_cell
from objbench.runs.planning.evaluation_cells import evaluation_cell, evaluations
from objbench.runs.planning.floor_cells import floor_cell, floors
from objbench.runs.planning.pretraining_cells import pretrain_cell
from objbench.runs.planning.teachers import teachers_of, training_order
from objbench.study.budget import baseline_steps, equal_steps, parse_budget
from objbench.study.study import Study

_seed_of = attrgetter("seed")


def make_plan(
    study: Study,
    plugins: ConfiguredPlugins,
    *,
    name: str,
    command: str,
    data: Mapping[str, Any],
    costs: Mapping[str, StepCost],
    devices: int,
    trials: Sequence[PlannedCell] = (),
    declared: Sequence[tuple[int, ...]] = (),
    looks: Sequence[int] = (),
) -> Plan:
    """The plan of a study.

    Args:
        study: with the settings that tuning chose, if it tunes.
        plugins: its plugins.
        name: of the study, for the record.
        command: the command line, for the record.
        data: a description of the corpus and tokenizer; its "key" is part of every cell's key.
        costs: objective -> cost of one of its steps.
        devices: devices that share the work, for budgets in device time.
        trials: the cells that its settings were chosen by.
        declared: its seeds as they were declared, for the record.
        looks: the numbers of seeds at which it is judged, as they were declared.

    Raises:
        BudgetError: the budget pays for fewer steps than there are points.
        ConfigError: an objective's teacher is not in the study or cannot be trained before it, or
            as ``planned_suites``.
    """
    steps = planned_steps(study, study.budget, costs, devices)
    require_points(study, steps)
    cells = {cell.id: cell for cell in trials}
    _add_cells(cells, study, plugins, steps, data)
    return Plan(
        name=name,
        command=command,
        engine_version=ENGINE_VERSION,
        study=study.model_dump(mode="json"),
        data=dict(data),
        baseline=study.objectives[0],
        budget=study.budget,
        equalize=study.equalize,
        objectives=tuple(_planned_objectives(study, plugins, steps, costs)),
        suites=planned_suites(plugins),
        declared=tuple(declared),
        looks=tuple(looks),
        cells=tuple(cells.values()),
    )


def planned_steps(
    study: Study, budget: str, costs: Mapping[str, StepCost], devices: int
) -> dict[str, int]:
    """The steps that ``budget`` gives to each objective of the study.

    Raises:
        BudgetError: it does not pay for one step.
    """
    baseline = study.objectives[0]
    own = baseline_steps(parse_budget(budget), costs[baseline], devices)
    return {
        name: own
        if name == baseline
        else equal_steps(own, costs[baseline], costs[name], study.equalize)
        for name in study.objectives
    }


def require_points(study: Study, steps: Mapping[str, int]) -> None:
    """Refuse a budget that pays for fewer steps than there are points to evaluate at.

    Args:
        study: the study.
        steps: objective -> its steps.

    Raises:
        BudgetError: it does.
    """
    points, spacing = study.evaluation.points, study.evaluation.spacing
    for objective, count in steps.items():
        if len(export_steps(count, points, spacing)) < points:
            raise BudgetError(
                f"budget {study.budget!r} gives {objective} {count} steps, too few for "
                f"{points} evaluation points ({spacing}); raise it or lower --eval-points"
            )


def _add_cells(
    cells: dict[str, PlannedCell],
    study: Study,
    plugins: ConfiguredPlugins,
    steps: Mapping[str, int],
    data: Mapping[str, Any],
) -> None:
    """Add every cell to ``cells`` by its id, each after all that it needs.

    Seed by seed, so that a study that is stopped has whole comparisons to show. Objectives of one
    seed side by side: what slows the machine for a while slows them alike.
    """
    order = training_order(plugins)
    # Made once: a study of many objectives is a large one, and would be made again for every cell.
    own = {name: study.for_objective(name) for name in study.objectives}
    points, spacing = study.evaluation.points, study.evaluation.spacing
    exports = {name: export_steps(count, points, spacing) for name, count in steps.items()}
    of_seed = {seed: list(own) for seed, own in groupby(evaluations(study, plugins), _seed_of)}
    for seed in study.seeds:
        for objective in order:
            cell = pretrain_cell(
                own[objective], plugins, objective, seed, exports[objective], data, cells
            )
            cells[cell.id] = cell
        scored = [
            evaluation_cell(study, plugins, wanted, exports, cells)
            for wanted in of_seed.get(seed, ())
        ]
        cells |= {cell.id: cell for cell in scored}
        evaluated = by_objective(scored)
        for name, curve in plugins.curves.items():
            for objective in study.objectives:
                cell = curve_cell(study, plugins, name, curve, objective, seed, evaluated)
                cells[cell.id] = cell
    for floor in floors(study, plugins):
        cell = floor_cell(study, plugins, floor, data, own[floor.objective])
        cells[cell.id] = cell


def _planned_objectives(
    study: Study,
    plugins: ConfiguredPlugins,
    steps: Mapping[str, int],
    costs: Mapping[str, StepCost],
) -> Iterator[PlannedObjective]:
    teachers = teachers_of(plugins)
    for name, (objective, config) in plugins.objectives.items():
        yield PlannedObjective(
            name=name,
            summary=objective.summary,
            reference=objective.reference,
            steps=steps[name],
            flops_per_step=costs[name].flops,
            tokens_per_step=int(costs[name].tokens),
            seconds_per_step=costs[name].seconds,
            options=recorded_options(config),
            overrides=study.overrides.get(name, {}),
            teachers=teachers[name],
            rate=costs[name].rate,
            across_sequences=objective.across_sequences,
            # Of a plan that others sent, phases of an objective that has none are not taken over.
            phases=costs[name].phases if has_phases(objective, config) else (),
        )


def planned_suites(plugins: ConfiguredPlugins) -> tuple[PlannedSuite, ...]:
    """The suites of a study as its plan holds them.

    Raises:
        ConfigError: what a suite says of itself fits no plan, such as two columns of one name.
    """
    try:
        suites = tuple(_suites(plugins))
    except ValidationError as error:
        why = fault(error)
    else:
        why = next(suite_misfits(suites), "")
    if why:
        raise ConfigError(f"these suites cannot be planned: {why}; fix the plugin, or leave it out")
    return suites


def _suites(plugins: ConfiguredPlugins) -> Iterator[PlannedSuite]:
    for suite in plugins.suites.values():
        yield planned_suite(suite)
    for name, curve in plugins.curves.items():
        yield PlannedSuite(
            name=name,
            summary=curve.summary,
            version=curve.version,
            protocol="",
            columns=curve.columns(),
            follows=curve.follows(tuple(plugins.suites)),
            seeds_per_point=curve.seeds_per_point,
        )
