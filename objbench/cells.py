"""One cell: do its work, and store its record.

This is the only place where a failing cell is caught: whatever goes wrong inside is stored as a
record with status and reason, and the study goes on. A bug also leaves its traceback on stderr.
"""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.engine.allocator import keep_freed_memory
from objbench.errors import ObjbenchError, RecordError, one_line
from objbench.planner import Cast, cast
from objbench.plugins import Registry, source_digest
from objbench.processes import is_main, processes
from objbench.provenance import now, provenance
from objbench.records import (
    CurveEntry,
    CurveRecord,
    EvaluationRecord,
    Plan,
    PlannedCell,
    PlannedSuite,
    Plugin,
    PretrainRecord,
    Status,
    read_plan,
    read_record,
    record_path,
    write_record,
)
from objbench.scores import average_score, column_scores
from objbench.study import Study
from objbench.suite import AXES, CurvePoint, EvaluationContext

Report = Callable[[str, int, int, str], None]
"""Called with (cell id, done, total, text) now and then while a cell runs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended.

    Attributes:
        id: the cell's.
        status: as in its record.
        text: what to tell the user in a few words.
        mendable: a failure that the user can mend (bad input) rather than a bug.
    """

    id: str
    status: Status
    text: str
    mendable: bool = False


class CellRunner:
    """Runs cells of one planned study in this process.

    Args:
        run: the run folder, with its plan written.
        cache: folder for tokenised text and task data.
        device: torch device string.
        command: the command line, for the records.
        registry: the loaded plugins.
        report: told of progress.
    """

    def __init__(
        self,
        run: Path,
        cache: Path,
        device: str,
        command: str,
        registry: Registry,
        report: Report,
    ) -> None:
        self.run = run
        self.cache = cache
        self.device = device
        self.command = command
        self.registry = registry
        self.report = report
        self.plan: Plan = read_plan(run)
        self.study = Study.model_validate(self.plan.study)
        self.cast: Cast = cast(self.study, registry)
        self._cells = {cell.id: cell for cell in self.plan.cells}
        self._text: Any = None
        if device == "cpu":
            keep_freed_memory()

    def __call__(self, cell: PlannedCell) -> Outcome:
        """Run ``cell`` and store its record, whatever happens."""
        work = {
            "pretrain": self._pretrain,
            "evaluation": self._evaluate,
            "curve": self._measure_curve,
        }[cell.kind]
        started = now()
        mendable = False
        try:
            record, text = work(cell, started)
        except Exception as error:  # noqa: BLE001 - the one place that stores any failure
            # A fine-tuning that leaves the finite numbers is a finding, not a bug.
            mendable = isinstance(error, ObjbenchError | FloatingPointError)
            if not mendable:
                traceback.print_exc(file=sys.stderr)
            reason = one_line(error) if mendable else f"{type(error).__name__}: {one_line(error)}"
            record, text = self._failed(cell, started, reason), reason
        if cell.kind != "pretrain" or is_main():
            write_record(self.run, record)
        if cell.kind == "pretrain" and record.status != "failed" and is_main():
            # The checkpoint has served; only a failed cell goes on from it.
            shutil.rmtree(self._checkpoints(cell), ignore_errors=True)
        return Outcome(cell.id, record.status, text, mendable)

    def _checkpoints(self, cell: PlannedCell) -> Path:
        return self.run / "checkpoints" / f"{cell.id}.{cell.key[:12]}"

    def _fields(self, cell: PlannedCell, started: str) -> dict[str, Any]:
        """The fields that every record of ``cell`` has, but for status and reason."""
        name = cell.suite or cell.objective
        project, version = self.registry.origin(name)
        owner = self._owner(cell)
        return {
            "id": cell.id,
            "key": cell.key,
            "objective": cell.objective,
            "seed": cell.seed,
            "plugin": Plugin(
                name=name, project=project, version=version, source=source_digest(owner)
            ),
            "provenance": provenance(self.command, self.device, processes(), started),
        }

    def _owner(self, cell: PlannedCell) -> type[Any]:
        if cell.kind == "pretrain":
            return self.cast.objectives[cell.objective][0]
        if cell.kind == "curve":
            return type(self.cast.curves[cell.suite])
        return type(self.cast.suites[cell.suite])

    def _failed(
        self, cell: PlannedCell, started: str, reason: str
    ) -> PretrainRecord | EvaluationRecord | CurveRecord:
        fields = {**self._fields(cell, started), "status": "failed", "reason": reason}
        if cell.kind == "pretrain":
            return PretrainRecord(**fields, config=self._config(cell), steps=cell.step)
        if cell.kind == "curve":
            return CurveRecord(**fields, **self._curve_fields(cell))
        return EvaluationRecord(**fields, **self._evaluation_fields(cell))

    # -- pretraining

    def _config(self, cell: PlannedCell) -> dict[str, Any]:
        planned = next(o for o in self.plan.objectives if o.name == cell.objective)
        study = self.study.model_dump(mode="json", include={"encoder", "data", "training"})
        return {**study, "options": planned.options, "data_key": self.plan.data["key"]}

    def _pretrain(self, cell: PlannedCell, started: str) -> tuple[PretrainRecord, str]:
        from objbench.engine.trainer import pretrain
        from objbench.jobs import open_text, pretrain_job

        if self._text is None:
            self._text = open_text(self.study, self.cache)
        job = pretrain_job(
            self.study,
            self.cast,
            self._text,
            cell.objective,
            seed=cell.seed,
            steps=cell.step,
            key=cell.key,
            run=self.run,
            folder=f"{cell.id}.{cell.key[:12]}",
            device=self.device,
        )
        outcome = pretrain(job, lambda done, total, text: self.report(cell.id, done, total, text))
        record = PretrainRecord(
            **self._fields(cell, started),
            status=outcome.status,
            reason=outcome.reason,
            config=self._config(cell),
            steps=cell.step,
            cost=outcome.cost,
            log=list(outcome.log),
            points=list(outcome.points),
        )
        if outcome.status != "ok":
            return record, outcome.reason
        return record, f"held-out loss {record.points[-1].heldout['loss']:.3f}"

    # -- evaluation

    def _upstream(self, cell: PlannedCell) -> PretrainRecord:
        above = self._cells[cell.needs[0]]
        record = read_record(record_path(self.run, "pretrain", above.id, above.key))
        if not isinstance(record, PretrainRecord):
            raise RecordError(f"the record of {above.id} is not one of pretraining; delete it")
        return record

    def _evaluation_fields(self, cell: PlannedCell) -> dict[str, Any]:
        suite = self.cast.suites[cell.suite]
        upstream = self._upstream(cell)
        point = next(p for p in upstream.points if p.meters.steps == cell.step)
        return {
            "suite": cell.suite,
            "suite_version": suite.version,
            "protocol": suite.protocol,
            "task": cell.task,
            "finetune_seed": cell.finetune_seed,
            "meters": point.meters,
            "share": cell.share,
            "upstream": upstream.key,
            "max_train_samples": self.study.evaluation.max_train_samples,
        }

    def _evaluate(self, cell: PlannedCell, started: str) -> tuple[EvaluationRecord, str]:
        fields = self._evaluation_fields(cell)
        point = next(p for p in self._upstream(cell).points if p.meters.steps == cell.step)
        encoder = self.run / point.encoder
        if not encoder.is_dir():
            above = self._cells[cell.needs[0]]
            record = record_path(self.run, "pretrain", above.id, above.key)
            raise RecordError(
                f"the encoder {encoder} is gone; delete {record} to pretrain it again"
            )
        context = EvaluationContext(
            cache=self.cache / "tasks",
            device=self.device,
            precision=self.study.training.precision,
            max_train_samples=self.study.evaluation.max_train_samples,
            progress=lambda done, total, text: self.report(cell.id, done, total, text),
        )
        clock = time.perf_counter()
        suite = self.cast.suites[cell.suite]
        result = suite.evaluate(encoder, cell.task, cell.finetune_seed, context)
        record = EvaluationRecord(
            **self._fields(cell, started),
            **fields,
            status="ok",
            scores={name: dict(metrics) for name, metrics in result.scores.items()},
            train_examples=result.train_examples,
            eval_examples=dict(result.eval_examples),
            seconds=round(time.perf_counter() - clock, 3),
            details=dict(result.details),
        )
        shown = (
            f"{name} {metric} {value:.3f}"
            for name, metrics in record.scores.items()
            for metric, value in metrics.items()
        )
        return record, ", ".join(shown)

    # -- curves

    def _curve_fields(self, cell: PlannedCell) -> dict[str, Any]:
        planned = self._planned_suite(cell.suite)
        return {
            "suite": cell.suite,
            "suite_version": planned.version,
            "follows": planned.follows,
            "baseline": self.plan.baseline,
            "upstream": [self._cells[needed].key for needed in cell.needs],
        }

    def _planned_suite(self, name: str) -> PlannedSuite:
        return next(suite for suite in self.plan.suites if suite.name == name)

    def _measure_curve(self, cell: PlannedCell, started: str) -> tuple[CurveRecord, str]:
        curve = self.cast.curves[cell.suite]
        followed = self._planned_suite(self._planned_suite(cell.suite).follows)
        values = curve.measure(
            self._curve(cell, followed, self.plan.baseline),
            self._curve(cell, followed, cell.objective),
            followed.direction,
        )
        record = CurveRecord(
            **self._fields(cell, started),
            **self._curve_fields(cell),
            status="ok",
            values={
                name: CurveEntry(value=value.value, note=value.note)
                for name, value in values.items()
            },
        )
        shown = (
            f"{name} {entry.note or f'{entry.value:.2f}'}" for name, entry in record.values.items()
        )
        return record, ", ".join(shown)

    def _curve(self, cell: PlannedCell, followed: PlannedSuite, objective: str) -> list[CurvePoint]:
        """The followed suite's score of one objective and seed at every point, in order."""
        records: dict[float, list[EvaluationRecord]] = {}
        for needed in cell.needs:
            above = self._cells[needed]
            if above.objective != objective:
                continue
            record = read_record(record_path(self.run, "evaluation", above.id, above.key))
            if isinstance(record, EvaluationRecord):
                records.setdefault(record.share, []).append(record)
        return [_point(followed, records[share]) for share in sorted(records)]


def _point(suite: PlannedSuite, records: list[EvaluationRecord]) -> CurvePoint:
    """The mean score over fine-tuning seeds at one point.

    Raises:
        RecordError: a column of the average is missing.
    """
    scores = []
    for seed in sorted({record.finetune_seed for record in records}):
        own = [record for record in records if record.finetune_seed == seed]
        score = average_score(suite, column_scores(suite, own))
        if score is None:
            raise RecordError(f"the {suite.name} score lacks a column; run the study again")
        scores.append(score)
    meters = records[0].meters
    spend = {axis: float(getattr(meters, axis)) for axis in AXES}
    return CurvePoint(spend=spend, score=sum(scores) / len(scores))
