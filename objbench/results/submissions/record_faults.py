"""Whether the records of a submission are those of its plan: one per cell, each of what it rests on.

Every declared seed is there and no other, no cell is left out and no record is without a cell, and
what a record says that it was made from is what the other records say that they made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from objbench.errors import one_line
from objbench.results.agreement import disagreement
from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import (
    AnyRecord,
    CurveRecord,
    EvaluationRecord,
    FloorRecord,
    PretrainRecord,
)
from objbench.results.submissions.statement import declared

Records = Mapping[str, AnyRecord]
"""Cell id -> its record."""


def misplaced(plan: Plan, records: Sequence[AnyRecord]) -> Iterator[str]:
    """Records that are of no cell of the plan, or not what their cell was planned to be."""
    cells = {(cell.kind, cell.id, cell.key): cell for cell in plan.cells}
    objectives = {objective.name: objective for objective in plan.objectives}
    for record in records:
        cell = cells.get((record.kind, record.id, record.key))
        if cell is None:
            yield f"{record.kind} {record.id}: a record of no cell of the plan"
        elif wrong := disagreement(record, cell, objectives[cell.objective]):
            yield f"{record.kind} {record.id}: {one_line(wrong)[:300]}"


def seed_faults(plan: Plan) -> Iterator[str]:
    """Seeds that were declared and are not run, or run and not declared."""
    wanted = [seed for row in declared(plan) for seed in row]
    run = {cell.seed for cell in plan.cells if cell.kind == "pretrain"}
    for seed in sorted({*wanted} - run):
        yield f"plan.json: the seed {seed} was declared and is not run"
    for seed in sorted(run - {*wanted}):
        yield f"plan.json: the seed {seed} is run and was not declared"
    if sorted(plan.asked.seeds) != sorted(wanted):
        yield "plan.json: the seeds of its study are not those that were declared"


def missing(plan: Plan, records: Records) -> Iterator[str]:
    """Cells without a record, unless they rest on a run that diverged; and those that failed."""
    out_of_reach: set[str] = set()
    left = list(plan.cells)
    while more := [
        cell.id
        for cell in left
        if any(
            need in out_of_reach or (need in records and records[need].status == "diverged")
            for need in cell.needs
        )
    ]:
        out_of_reach.update(more)
        left = [cell for cell in left if cell.id not in out_of_reach]
    for cell in left:
        record = records.get(cell.id)
        if record is None:
            yield f"{cell.kind} {cell.id}: there is no record of it"
        elif record.status == "failed":
            yield f"{cell.kind} {cell.id}: it failed, so that the study is not whole"


def link_faults(plan: Plan, records: Records) -> Iterator[str]:
    """Records that do not rest on what the plan says that they rest on."""
    cells = {cell.id: cell for cell in plan.cells}
    versions = {suite.name: (suite.version, suite.protocol) for suite in plan.suites}
    for name, record in records.items():
        cell = cells[name]
        found: Iterator[str] = iter(())
        match record:
            case PretrainRecord():
                found = _pretraining(record, cell, cells)
            case FloorRecord():
                found = iter(["it rests on a pretraining"] if record.upstream else [])
            case EvaluationRecord():
                found = _evaluation(record, records.get(cell.needs[0]) if cell.needs else None)
            case CurveRecord():
                wanted = [cells[need].key for need in cell.needs]
                found = iter(["it is of other evaluations"] if record.upstream != wanted else [])
        if isinstance(record, EvaluationRecord) and (
            (record.suite_version, record.protocol) != versions.get(record.suite)
        ):
            found = iter([*found, "its suite is of another version or protocol"])
        if record.provenance.finished < record.provenance.started:
            found = iter([*found, "it ended before it began"])
        for fault in found:
            yield f"{record.kind} {name}: {fault}"
    yield from _texts(records)
    yield from _sources(records)


def _pretraining(
    record: PretrainRecord, cell: PlannedCell, cells: Mapping[str, PlannedCell]
) -> Iterator[str]:
    teachers = {cells[need].objective: cells[need].key for need in cell.needs}
    if record.teachers != teachers:
        yield "its teachers are not those of the plan"
    if record.cost is None and (record.status == "ok" or record.reached is not None):
        yield "its cost is missing"
    if record.status != "ok":
        return
    if not record.points or record.points[-1].meters.steps != record.steps:
        yield "no encoder was exported at the end of its budget"
    for point in record.points:
        folder = f"encoders/{record.id}.{record.key[:12]}/step-{point.meters.steps}"
        if point.encoder != folder:
            yield f"its encoder of step {point.meters.steps} is in the folder of another cell"


def _evaluation(record: EvaluationRecord, of: AnyRecord | None) -> Iterator[str]:
    if not isinstance(of, PretrainRecord):
        return
    if record.upstream != of.key:
        yield "it is of another pretraining"
    point = next((p for p in of.points if p.meters.steps == record.meters.steps), None)
    if point is None:
        yield f"{of.id} exported no encoder at step {record.meters.steps}"
        return
    if point.meters != record.meters:
        yield f"its spend is not that of {of.id}"
    if point.digest and record.made_from.get("encoder") != point.digest:
        yield f"the encoder that it read is not the one that {of.id} exported"


def _texts(records: Records) -> Iterator[str]:
    """All cells of a study read one text."""
    first: dict[str, tuple[str, str]] = {}
    for name, record in records.items():
        for part in {"train", "heldout"} & record.made_from.keys():
            where, digest = first.setdefault(part, (name, record.made_from[part]))
            if digest != record.made_from[part]:
                yield f"{record.kind} {name}: its {part} text is not that of {where}"


def _sources(records: Records) -> Iterator[str]:
    """All cells of a plugin were run with one source."""
    first: dict[str, tuple[str, str]] = {}
    for name, record in records.items():
        plugin = record.plugin
        where, source = first.setdefault(plugin.name, (name, plugin.source))
        if source != plugin.source:
            yield f"{record.kind} {name}: {plugin.name} has another source than in {where}"
        if not plugin.source:
            yield f"{record.kind} {name}: the source of {plugin.name} has no digest"
