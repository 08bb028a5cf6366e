"""From a study to its plan: how many steps each objective gets, and the cells that makes.

Pure but for reading plugin sources: no training, no clock. The costs of a step come in from
outside (``engine.measuring.step_cost``), and with them the number of steps of each objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from objbench.contract.composition import recorded_options
from objbench.engine import ENGINE_VERSION
from objbench.errors import BudgetError
from objbench.results.plan import Plan, PlannedCell, PlannedObjective, PlannedSuite
from objbench.results.records import StepCost
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.planned_cells import (
    curve_cell,
    evaluation_cell,
    evaluations,
    pretrain_cell,
)
from objbench.runs.planning.teachers import teachers_of, training_order
from objbench.study.budget import baseline_steps, equal_steps, export_steps, parse_budget
from objbench.study.study import Study


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
) -> Plan:
    """The plan of a study.

    Args:
        data: what is recorded of the corpus and tokenizer; its "key" enters every cell's key.
        costs: objective -> cost of one of its steps.
        devices: devices that share the work, for budgets in device time.
        trials: the trials that its settings were chosen by.
        declared: its seeds as they were declared, for the record.

    Raises:
        BudgetError: the budget pays for fewer steps than there are points.
        ConfigError: an objective learns from one that is not there to learn from.
    """
    baseline = study.objectives[0]
    steps = planned_steps(study, study.budget, costs, devices)
    for objective, count in steps.items():
        points, spacing = study.evaluation.points, study.evaluation.spacing
        if len(export_steps(count, points, spacing)) < points:
            raise BudgetError(
                f"budget {study.budget!r} gives {objective} {count} steps, too few for "
                f"{points} evaluation points ({spacing}); raise it or lower --eval-points"
            )
    cells = {cell.id: cell for cell in trials}
    order, teachers = training_order(plugins), teachers_of(plugins)
    # Objectives of one seed side by side: what slows the machine for a while slows them alike.
    for seed in study.seeds:
        for objective in order:
            cell = pretrain_cell(study, plugins, objective, seed, steps[objective], data, cells)
            cells[cell.id] = cell
    for wanted in evaluations(study, plugins):
        cell = evaluation_cell(study, plugins, wanted, steps, cells)
        cells[cell.id] = cell
    for curve_name, curve in plugins.curves.items():
        for seed in study.seeds:
            for objective in study.objectives:
                cell = curve_cell(study, plugins, curve_name, curve, objective, seed, cells)
                cells[cell.id] = cell
    return Plan(
        name=name,
        command=command,
        engine_version=ENGINE_VERSION,
        study=study.model_dump(mode="json"),
        data=dict(data),
        baseline=baseline,
        budget=study.budget,
        equalize=study.equalize,
        objectives=tuple(
            PlannedObjective(
                name=objective,
                summary=plugins.objectives[objective][0].summary,
                reference=plugins.objectives[objective][0].reference,
                steps=steps[objective],
                flops_per_step=costs[objective].flops,
                tokens_per_step=int(costs[objective].tokens),
                seconds_per_step=costs[objective].seconds,
                options=recorded_options(plugins.objectives[objective][1]),
                overrides=study.overrides.get(objective, {}),
                teachers=teachers[objective],
            )
            for objective in study.objectives
        ),
        suites=tuple(_planned_suites(study, plugins)),
        declared=tuple(declared),
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


def _planned_suites(study: Study, plugins: ConfiguredPlugins) -> Iterator[PlannedSuite]:
    for name, suite in plugins.suites.items():
        average = suite.average()
        yield PlannedSuite(
            name=name,
            summary=suite.summary,
            version=suite.version,
            protocol=suite.protocol,
            columns=suite.columns(),
            average_label=average.label,
            average_groups=average.groups,
            direction=average.direction,
            seeds=suite.seeds(),
            missing=dict(suite.missing()),
        )
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
