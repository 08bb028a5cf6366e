"""Whether the cells of a plan fit together, and whether a record is of the cell that it names.

Plans and records may be edited or sent by anyone; what disagrees is refused when it is read, since
no table could say which of the two is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from objbench.contract.suite import UNTRAINED
from objbench.results.declared_looks import require_looks
from objbench.results.phase_costs import spent_flops
from objbench.results.records import AnyRecord, EvaluationRecord, PretrainRecord
from objbench.results.training_points import Meters

if TYPE_CHECKING:
    from objbench.results.plan import Plan, PlannedCell, PlannedObjective, PlannedSuite
    from objbench.results.step_comparison import StepComparison

_OF_EVALUATION = ("objective", "seed", "suite", "task", "finetune_seed", "share")
_SHARED: dict[str, tuple[str, ...]] = {
    "trial": ("objective", "seed", "settings"),
    "trial_evaluation": _OF_EVALUATION,
    "pretrain": ("objective", "seed"),
    "evaluation": _OF_EVALUATION,
    # Objective and seed of those that need no initial weights say nothing: see ``disagreement``.
    "floor": ("suite", "task", "finetune_seed", "share", "floor"),
    "curve": ("objective", "seed", "suite"),
}
"""What the record of a cell has under the name that it has in the plan."""

# A spend that came out a little unequal is reported on the page; beyond, it is of another step.
_MOST_FLOPS = 2.0


def misfits(plan: Plan) -> Iterator[str]:
    """What does not fit together in a plan, one sentence each."""
    for what, names in [
        ("objectives", [objective.name for objective in plan.objectives]),
        ("suites", [suite.name for suite in plan.suites]),
        ("cells", [cell.id for cell in plan.cells]),
    ]:
        if len(set(names)) < len(names):
            yield f"two {what} are called {_repeated(names)}"
    objectives = {objective.name for objective in plan.objectives}
    suites = {suite.name: bool(suite.follows) for suite in plan.suites}
    follows = {"evaluation": False, "trial_evaluation": False, "floor": False, "curve": True}
    if plan.baseline not in objectives:
        yield f"its baseline {plan.baseline} is not one of its objectives"
    for objective in plan.objectives:
        for teacher in objective.teachers:
            if teacher not in objectives:
                yield f"{objective.name} learns from {teacher}, which is not one of its objectives"
    yield from suite_misfits(plan.suites)
    cells = {cell.id: cell for cell in plan.cells}
    for cell in plan.cells:
        if cell.objective not in objectives:
            yield f"{cell.id} is of {cell.objective}, which is not one of its objectives"
        if cell.kind not in _SHARED:
            yield f"{cell.id} makes the text, which is planned apart"
        if cell.kind in follows and follows[cell.kind] != suites.get(cell.suite):
            yield f"{cell.id} is of {cell.suite or 'no suite'}, which is not such a suite of it"
        for need in cell.needs:
            if need not in cells:
                yield f"{cell.id} needs {need}, which is no cell of it"
    yield from _seeds(plan)
    yield from _points(plan)


def suite_misfits(suites: Sequence[PlannedSuite]) -> Iterator[str]:
    """What does not fit together in the suites of a plan, one sentence each."""
    for suite in suites:
        yield from _suite(suite, {other.name for other in suites if not other.follows})


def _suite(suite: PlannedSuite, evaluating: set[str]) -> Iterator[str]:
    columns = [column.name for column in suite.columns]
    if len(set(columns)) < len(columns):
        yield f"two columns of {suite.name} are called {_repeated(columns)}"
    for group in suite.average_groups:
        if not {*group} <= {*columns} or not group:
            yield f"{suite.name} averages {', '.join(group) or 'nothing'}, not all columns of it"
    if len(set(suite.seeds)) < len(suite.seeds):
        yield f"the fine-tuning seed {_repeated(suite.seeds)} of {suite.name} is listed twice"
    if suite.follows and suite.follows not in evaluating:
        yield f"{suite.name} follows {suite.follows}, which is no evaluating suite of it"
    if suite.follows and not suite.seeds_per_point:
        yield f"{suite.name} has no fine-tuning seed per point"


def _seeds(plan: Plan) -> Iterator[str]:
    of: dict[str, list[int]] = {}
    for cell in plan.cells:
        if cell.kind == "pretrain":
            of.setdefault(cell.objective, []).append(cell.seed)
    for name, seeds in of.items():
        if len(set(seeds)) < len(seeds):
            yield f"{name} is pretrained twice with seed {_repeated(seeds)}"
    if of and {objective.name for objective in plan.objectives} - {*of}:
        yield f"only {', '.join(of)} of its objectives are pretrained"
    if len({frozenset(seeds) for seeds in of.values()}) > 1:
        yield "its objectives are pretrained with different seeds"
    declared = [seed for row in plan.declared for seed in row]
    if len(set(declared)) < len(declared):
        yield f"the seed {_repeated(declared)} is declared twice"
    try:
        require_looks(plan.looks)
    except ValueError as error:
        yield str(error)
    if declared and (undeclared := {seed for seeds in of.values() for seed in seeds} - {*declared}):
        yield f"the seed {min(undeclared)} is not among those declared"


def _points(plan: Plan) -> Iterator[str]:
    """An objective's points have the same order by steps and by share of the budget."""
    points: dict[str, set[tuple[int, float]]] = {}
    for cell in plan.cells:
        if cell.kind == "evaluation" and cell.step:
            points.setdefault(cell.objective, set()).add((cell.step, cell.share))
    for name, found in points.items():
        for (step, share), (later, more) in pairwise(sorted(found)):
            if step == later or share >= more:
                yield f"step {later} of {name} is {more:g} of its budget, step {step} is {share:g}"


def disagreement(record: AnyRecord, cell: PlannedCell, planned: PlannedObjective) -> str:
    """In what a record is not what its cell was planned to be; "" where it is.

    Args:
        planned: the cell's objective.
    """
    for name in _SHARED[cell.kind]:
        found, wanted = getattr(record, name), getattr(cell, name)
        if found != wanted:
            return f"its {name.replace('_', ' ')} is {found}, planned {wanted}"
    if cell.floor == UNTRAINED and (record.objective, record.seed) != (cell.objective, cell.seed):
        planned_as = f"{cell.objective} with seed {cell.seed}"
        return f"it is of {record.objective} with seed {record.seed}, planned {planned_as}"
    if record.status != "ok" or cell.kind not in ("pretrain", "evaluation"):
        return ""
    if isinstance(record, PretrainRecord):
        if record.steps != planned.steps:
            return f"it took {record.steps} steps, planned {planned.steps}"
        return next(filter(None, (_flops(point.meters, planned) for point in record.points)), "")
    if isinstance(record, EvaluationRecord):
        if cell.step and cell.step != record.meters.steps:
            return f"its encoder took {record.meters.steps} steps, planned {cell.step}"
        return _flops(record.meters, planned)
    return ""


def comparison_fault(steps: StepComparison, plan: Plan) -> str:
    """In what a comparison of steps is not of the plan's objectives; "" where it is.

    It may lack some that were added since.
    """
    planned = {objective.name: objective for objective in plan.objectives}
    names = [step.objective for step in steps.objectives]
    if steps.baseline != plan.baseline:
        return f"its baseline is {steps.baseline}, planned {plan.baseline}"
    if len(set(names)) < len(names):
        return f"two steps are of {_repeated(names)}"
    if {*names} != {*steps.cost_keys}:
        return "its keys are not of the objectives that it compares"
    for step in steps.objectives:
        if step.objective not in planned:
            return f"{step.objective} is not one of the objectives of the plan"
        if not step.shortest <= step.seconds <= step.longest:
            return (
                f"the median of {step.objective} is not between the shortest and the longest step"
            )
        own = planned[step.objective]
        wanted = own.flops_per_step
        # Of an objective in phases it is the step of one of them.
        steps_of = [wanted, *(phase.flops_per_step for phase in own.phases)]
        if not min(steps_of) / _MOST_FLOPS <= step.flops <= max(steps_of) * _MOST_FLOPS:
            return f"a step of {step.objective} is of {step.flops:g} FLOPs, planned {wanted:g}"
    return ""


def _flops(spent: Meters, planned: PlannedObjective) -> str:
    wanted = spent_flops(spent.steps, planned.steps, planned.flops_per_step, planned.phases)
    if wanted / _MOST_FLOPS <= spent.flops <= wanted * _MOST_FLOPS:
        return ""
    return (
        f"{spent.steps} steps took {spent.flops:g} FLOPs, planned {planned.flops_per_step:g} a step"
    )


def _repeated(names: Sequence[str | int]) -> str | int:
    return next(name for name, found in Counter(names).items() if found > 1)
