"""From a study to its plan: the cells, their keys, and what each depends on.

Pure but for reading plugin sources: no training, no clock. The costs of a step come in from
outside (``engine.calibrate``), and with them the number of steps of each objective.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from objbench.budget import StepCost, baseline_steps, equal_steps, export_steps, parse_budget
from objbench.engine import ENGINE_VERSION
from objbench.errors import BudgetError
from objbench.keys import content_key
from objbench.plugins import Registry, configure, source_digest
from objbench.records import Plan, PlannedCell, PlannedColumn, PlannedObjective, PlannedSuite
from objbench.study import Study
from objbench.suite import CurveSuite, Suite

# Settings that change what is written down or when, but no number that is computed.
_NOT_IN_KEY = {"log_every", "checkpoint_every"}


@dataclass(frozen=True, slots=True)
class Cast:
    """The plugins of a study, configured.

    Attributes:
        objectives: name -> (class, its Config).
        suites: name -> evaluating suite.
        curves: name -> curve suite.
    """

    objectives: Mapping[str, tuple[type[Any], Any]]
    suites: Mapping[str, Suite]
    curves: Mapping[str, CurveSuite]


def cast(study: Study, registry: Registry) -> Cast:
    """The study's plugins, each configured with the study's options.

    Raises:
        UnknownNameError, PluginError, ConfigError: a name or an option does not fit.
    """
    objectives = {}
    for name in study.objectives:
        objective = registry.objective(name)
        objectives[name] = (objective, configure(objective, study.options.get(name, {})))
    suites: dict[str, Suite] = {}
    curves: dict[str, CurveSuite] = {}
    for name in study.evaluation.suites:
        suite = registry.suite(name)
        made = suite(configure(suite, study.options.get(name, {})))
        if isinstance(made, CurveSuite):
            curves[name] = made
        else:
            suites[name] = made
    return Cast(objectives, suites, curves)


def share_label(part: int, points: int) -> str:
    """How a point of the budget is named in a cell's id, such as "20pct"."""
    return f"{100 * part / points:.4g}pct"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation that a study asks for, before any key is known."""

    suite: str
    task: str
    objective: str
    seed: int
    part: int
    points: int
    finetune_seed: int

    @property
    def id(self) -> str:
        """The cell's id."""
        where = f"{self.objective}.seed-{self.seed}.{share_label(self.part, self.points)}"
        return f"{self.suite}.{self.task}.{where}.ft-{self.finetune_seed}"


def evaluations(study: Study, cast: Cast) -> Iterator[Evaluation]:
    """Every evaluation of the study once, in the order in which they are best run.

    The final encoders come before the points on the way, and seed by seed, so that a study
    stopped early has whole comparisons to show.
    """
    points = study.evaluation.points
    followed = {curve.follows(tuple(cast.suites)): curve for curve in cast.curves.values()}
    for seed in study.seeds:
        for part in range(points, 0, -1):
            for objective in study.objectives:
                for name, suite in cast.suites.items():
                    count = len(suite.seeds()) if part == points else 0
                    if part < points and name in followed:
                        count = min(followed[name].seeds_per_point, len(suite.seeds()))
                    for finetune_seed in suite.seeds()[:count]:
                        for task in suite.tasks():
                            yield Evaluation(
                                name, task, objective, seed, part, points, finetune_seed
                            )


def make_plan(
    study: Study,
    cast: Cast,
    *,
    name: str,
    command: str,
    data: Mapping[str, Any],
    costs: Mapping[str, StepCost],
    devices: int,
) -> Plan:
    """The plan of a study.

    Args:
        data: what is recorded of the corpus and tokenizer; its "key" enters every cell's key.
        costs: objective -> cost of one of its steps.
        devices: devices that share the work, for budgets in device time.

    Raises:
        BudgetError: the budget pays for fewer steps than there are points.
    """
    baseline = study.objectives[0]
    steps = _steps(study, costs, devices)
    cells: dict[str, PlannedCell] = {}
    for objective in study.objectives:
        for seed in study.seeds:
            cell = _pretrain_cell(study, cast, objective, seed, steps[objective], data)
            cells[cell.id] = cell
    for wanted in evaluations(study, cast):
        cell = _evaluation_cell(study, cast, wanted, steps, cells)
        cells[cell.id] = cell
    for curve_name, curve in cast.curves.items():
        for seed in study.seeds:
            for objective in study.objectives:
                cell = _curve_cell(study, cast, curve_name, curve, objective, seed, cells)
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
                summary=cast.objectives[objective][0].summary,
                reference=cast.objectives[objective][0].reference,
                steps=steps[objective],
                flops_per_step=costs[objective].flops,
                tokens_per_step=int(costs[objective].tokens),
                seconds_per_step=costs[objective].seconds,
                options=asdict(cast.objectives[objective][1]),
            )
            for objective in study.objectives
        ),
        suites=tuple(_planned_suites(study, cast)),
        cells=tuple(cells.values()),
    )


def _steps(study: Study, costs: Mapping[str, StepCost], devices: int) -> dict[str, int]:
    baseline = study.objectives[0]
    own = baseline_steps(parse_budget(study.budget), costs[baseline], devices)
    steps = {
        name: own
        if name == baseline
        else equal_steps(own, costs[baseline], costs[name], study.equalize)
        for name in study.objectives
    }
    for name, count in steps.items():
        if count < study.evaluation.points:
            raise BudgetError(
                f"budget {study.budget!r} gives {name} {count} steps, fewer than the "
                f"{study.evaluation.points} evaluation points; raise it or lower --eval-points"
            )
    return steps


def _pretrain_cell(
    study: Study, cast: Cast, objective: str, seed: int, steps: int, data: Mapping[str, Any]
) -> PlannedCell:
    cls, config = cast.objectives[objective]
    key = content_key(
        {
            "engine": ENGINE_VERSION,
            "objective": objective,
            "source": source_digest(cls),
            "options": asdict(config),
            "encoder": study.encoder.model_dump(mode="json"),
            "data": data["key"],
            "training": study.training.model_dump(mode="json", exclude=_NOT_IN_KEY),
            "steps": steps,
            "exports": export_steps(steps, study.evaluation.points),
            "heldout_batches": study.evaluation.heldout_batches,
            "seed": seed,
        }
    )
    cell_id = f"{objective}.seed-{seed}"
    return PlannedCell(
        id=cell_id, kind="pretrain", key=key, objective=objective, seed=seed, step=steps
    )


def _evaluation_cell(
    study: Study,
    cast: Cast,
    wanted: Evaluation,
    steps: Mapping[str, int],
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    suite = cast.suites[wanted.suite]
    upstream = cells[f"{wanted.objective}.seed-{wanted.seed}"]
    step = export_steps(steps[wanted.objective], wanted.points)[wanted.part - 1]
    key = content_key(
        {
            "engine": ENGINE_VERSION,
            "upstream": upstream.key,
            "step": step,
            "suite": wanted.suite,
            "version": suite.version,
            "source": source_digest(type(suite)),
            "task": suite.fingerprint(wanted.task),
            "seed": wanted.finetune_seed,
            "max_train_samples": study.evaluation.max_train_samples,
            "precision": study.training.precision,
        }
    )
    return PlannedCell(
        id=wanted.id,
        kind="evaluation",
        key=key,
        objective=wanted.objective,
        seed=wanted.seed,
        suite=wanted.suite,
        task=wanted.task,
        finetune_seed=wanted.finetune_seed,
        step=step,
        share=wanted.part / wanted.points,
        needs=(upstream.id,),
    )


def _curve_cell(
    study: Study,
    cast: Cast,
    name: str,
    curve: CurveSuite,
    objective: str,
    seed: int,
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    follows = curve.follows(tuple(cast.suites))
    chosen = cast.suites[follows].seeds()[: curve.seeds_per_point]
    needs = tuple(
        cell.id
        for cell in cells.values()
        if cell.kind == "evaluation"
        and cell.suite == follows
        and cell.seed == seed
        and cell.objective in (objective, study.objectives[0])
        and cell.finetune_seed in chosen
    )
    key = content_key(
        {
            "suite": name,
            "version": curve.version,
            "source": source_digest(type(curve)),
            "options": asdict(curve.config),
            "average": asdict(cast.suites[follows].average()),
            "upstream": [cells[needed].key for needed in needs],
        }
    )
    return PlannedCell(
        id=f"{name}.{objective}.seed-{seed}",
        kind="curve",
        key=key,
        objective=objective,
        seed=seed,
        suite=name,
        needs=needs,
    )


def _planned_suites(study: Study, cast: Cast) -> Iterator[PlannedSuite]:
    for name, suite in cast.suites.items():
        average = suite.average()
        yield PlannedSuite(
            name=name,
            summary=suite.summary,
            version=suite.version,
            protocol=suite.protocol,
            columns=_planned_columns(suite),
            average_label=average.label,
            average_groups=average.groups,
            direction=average.direction,
            seeds=suite.seeds(),
            missing=dict(suite.missing()),
        )
    for name, curve in cast.curves.items():
        yield PlannedSuite(
            name=name,
            summary=curve.summary,
            version=curve.version,
            protocol="",
            columns=_planned_columns(curve),
            follows=curve.follows(tuple(cast.suites)),
            seeds_per_point=curve.seeds_per_point,
        )


def _planned_columns(suite: Suite | CurveSuite) -> Sequence[PlannedColumn]:
    return tuple(
        PlannedColumn(
            name=column.name,
            task=column.task,
            metrics=column.metrics,
            direction=column.direction,
            scale=column.scale,
        )
        for column in suite.columns()
    )
