"""Whether what the runs of a submission spent, and the losses that they reached, can be.

FLOPs and tokens are steps times the cost of one, as the engine counts them, phase by phase if the
objective has phases; what is spent rises from point to point, or no record is read. A masked or
next-token loss is a cross-entropy in nats, so it is not negative. Two seeds never give the same
losses: one of them would be a copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from objbench.results.phase_costs import mean_flops, spent_flops
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.records import Cost, PretrainRecord
from objbench.results.submissions.record_faults import Records
from objbench.results.training_points import Meters

_ROUNDING = 1e-6
# Machines may count the products of their own attention kernel a little differently.
_COUNTED = 0.01


def spending_faults(plan: Plan, records: Records) -> Iterator[str]:
    """What cannot have been spent, one line each."""
    objectives = {objective.name: objective for objective in plan.objectives}
    sizes: dict[str, tuple[str, int, int]] = {}
    for name, record in records.items():
        if not isinstance(record, PretrainRecord) or record.cost is None:
            continue
        for fault in _spent(record, objectives[record.objective]):
            yield f"{record.kind} {name}: {fault}"
        size = (record.cost.encoder_parameters, record.cost.head_parameters)
        where, *others = sizes.setdefault(record.objective, (name, *size))
        # A trial may try another size.
        if record.kind == "pretrain" and size != tuple(others):
            yield f"pretrain {name}: it has another number of parameters than {where}"


def _spent(record: PretrainRecord, planned: PlannedObjective) -> Iterator[str]:
    cost = record.cost
    if cost is None:
        return
    if record.kind == "pretrain" and not _near(
        cost.flops_per_step, planned.flops_per_step, _COUNTED
    ):
        yield (
            f"a step cost {cost.flops_per_step:g} FLOPs, and its budget was planned with "
            f"{planned.flops_per_step:g}"
        )
    yield from _phases(record, cost, planned)
    found: list[tuple[str, Meters]] = [
        *((f"log at step {point.meters.steps}", point.meters) for point in record.logged),
        *((f"point at step {point.meters.steps}", point.meters) for point in record.points),
        *(("its end", meters) for meters in [record.reached] if meters is not None),
    ]
    for where, spent in found:
        steps = spent_flops(spent.steps, record.steps, cost.flops_per_step, cost.phases)
        if not _near(spent.flops, steps, _ROUNDING):
            by_phase = ", phase by phase" if cost.phases else ""
            yield (
                f"{where}: {spent.flops:g} FLOPs are not its steps times {cost.flops_per_step:g}"
                f"{by_phase}"
            )
        if abs(spent.tokens - spent.steps * planned.tokens_per_step) > spent.steps:
            yield f"{where}: {spent.tokens} tokens are not its steps times {planned.tokens_per_step}"
        if spent.steps > record.steps:
            yield f"{where}: it took {record.steps} steps only"
        if spent.steps and not spent.seconds > 0:
            yield f"{where}: its steps took no time"
    if record.reached and record.logged and record.reached.steps < record.logged[-1].meters.steps:
        yield f"its end: it had logged step {record.logged[-1].meters.steps} before"
    if record.status == "ok" and record.points:
        last = record.points[-1].meters
        seconds = last.tokens / cost.tokens_per_second if cost.tokens_per_second else math.inf
        # The clock is read twice: for the last point, and for the cost.
        if abs(seconds - last.seconds) > 0.01 * last.seconds + 0.1:
            yield (
                f"{cost.tokens_per_second:g} tokens per second are not its {last.tokens} tokens in "
                f"{last.seconds:g} seconds"
            )


def _phases(record: PretrainRecord, cost: Cost, planned: PlannedObjective) -> Iterator[str]:
    """Where the phases of a run are not those that were planned, or not those of its step."""
    if cost.phases and not _near(mean_flops(cost.phases), cost.flops_per_step, _ROUNDING):
        yield (
            f"a step cost {cost.flops_per_step:g} FLOPs, and its phases "
            f"{mean_flops(cost.phases):g} on average"
        )
    if record.kind != "pretrain":
        return  # A trial may try other shares.
    shares = [[(phase.mode, phase.share) for phase in one] for one in (cost.phases, planned.phases)]
    if shares[0] != shares[1]:
        yield f"its phases are {shares[0] or 'none'}, planned {shares[1] or 'none'}"
        return
    for own, wanted in zip(cost.phases, planned.phases, strict=True):
        if not _near(own.flops_per_step, wanted.flops_per_step, _COUNTED):
            yield (
                f"a step of the phase {own.mode} cost {own.flops_per_step:g} FLOPs, and its budget "
                f"was planned with {wanted.flops_per_step:g}"
            )


def loss_faults(records: Records) -> Iterator[str]:
    """Losses that cannot be, one line each; those of counts alone are looked at by ``lines_agreement``."""
    counts: dict[tuple[str, str, str], tuple[str, int]] = {}
    for name, record in records.items():
        if not isinstance(record, PretrainRecord):
            continue
        for point in record.points:
            where = f"{record.kind} {name}: point at step {point.meters.steps}"
            common = point.common
            if common is None:
                continue
            if common.of != "own" and min(common.loss, common.loss + common.order_gain) < 0:
                yield f"{where}: a cross-entropy is negative"
            # Which tokens are hidden depends on the generator of the device.
            place = (record.kind, common.of, record.provenance.device)
            first, tokens = counts.setdefault(place, (name, common.tokens))
            if common.tokens != tokens:
                yield f"{where}: its loss is over {common.tokens} tokens, and {tokens} in {first}"
    yield from _copies(records)


def _copies(records: Records) -> Iterator[str]:
    """Runs of different seeds with the same losses throughout."""
    first: dict[tuple[str, tuple[float, ...]], tuple[str, int]] = {}
    for name, record in records.items():
        if not isinstance(record, PretrainRecord) or record.kind != "pretrain":
            continue
        held: list[Mapping[str, float]] = [point.heldout for point in record.points]
        losses = [point.loss for point in record.logged]
        losses += [value for point in held for _, value in sorted(point.items())]
        if not losses:
            continue
        where, seed = first.setdefault((record.objective, tuple(losses)), (name, record.seed))
        if seed != record.seed:
            yield f"pretrain {name}: its losses are those of {where}, which has another seed"


def _near(value: float, other: float, relative: float) -> bool:
    return math.isclose(value, other, rel_tol=relative, abs_tol=1e-12)
