"""A pretraining cell: one objective, one seed, through the engine."""

from __future__ import annotations

import shutil
from functools import cached_property
from typing import Any

from objbench.contract.composition import recorded_options
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, PretrainRecord, TrialRecord
from objbench.runs.cells.prepared_study import StudyText, open_text, pretrain_job
from objbench.runs.cells.run_context import RunContext


class PretrainWork:
    """Pretrains; the checkpoint of a cell is kept until its record is stored."""

    def __init__(self, place: RunContext) -> None:
        self.place = place

    @cached_property
    def _text(self) -> StudyText:
        return open_text(self.place.study, self.place.cache)

    def do(self, cell: PlannedCell, started: str) -> tuple[AnyRecord, str]:
        """Pretrain, or go on from the cell's checkpoint.

        Raises:
            RecordError: the encoder of a teacher has been deleted.
        """
        from objbench.engine.training.trainer import pretrain

        place = self.place
        job = pretrain_job(
            place.study,
            place.plugins,
            self._text,
            cell,
            run=place.run,
            folder=_folder(cell),
            device=place.device,
            teachers=place.teachers(cell),
        )
        outcome = pretrain(job, lambda done, total, text: place.report(cell.id, done, total, text))
        record = self._record(
            cell,
            started,
            status=outcome.status,
            reason=outcome.reason,
            cost=outcome.cost,
            log=list(outcome.log),
            points=list(outcome.points),
        )
        if outcome.status != "ok":
            return record, outcome.reason
        return record, f"held-out loss {record.points[-1].heldout['loss']:.3f}"

    def failed(self, cell: PlannedCell, started: str, reason: str) -> AnyRecord:
        """The record of a failure; the checkpoint stays, to go on from."""
        return self._record(cell, started, status="failed", reason=reason)

    def stored(self, cell: PlannedCell, record: AnyRecord) -> None:
        """Remove the checkpoint of a cell that is done."""
        if record.status != "failed":
            shutil.rmtree(self.place.run / "checkpoints" / _folder(cell), ignore_errors=True)

    def _record(self, cell: PlannedCell, started: str, **outcome: Any) -> PretrainRecord:
        place = self.place
        own = place.study.of(cell.objective, cell.settings)
        cls = place.plugins.objectives[cell.objective][0]
        settings = own.model_dump(mode="json", include={"encoder", "data", "training"})
        options = recorded_options(place.plugins.config(own, cell.objective))
        fields = {
            **place.fields(cell, cls, started),
            "config": {**settings, "options": options, "data_key": place.plan.data["key"]},
            "steps": cell.step,
            "teachers": {up.objective: up.key for up in map(place.cell, cell.needs)},
            **outcome,
        }
        if cell.kind == "trial":
            return TrialRecord(**fields, settings=cell.settings)
        return PretrainRecord(**fields)


def _folder(cell: PlannedCell) -> str:
    return f"{cell.id}.{cell.key[:12]}"
