"""A pretraining cell: one objective, one seed, through the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from objbench.contract.composition import Composition, recorded_options
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord
from objbench.runs.cells.cell_log import CellLog, tracked_cell
from objbench.runs.cells.cell_work import CellWork
from objbench.runs.cells.memory_faults import memory_faults
from objbench.runs.processes import on_main
from objbench.runs.tracking.tracked_cell import TrackedCell


class PretrainWork(CellWork):
    """Pretrains; the checkpoint of a cell is kept until its record is stored."""

    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """Pretrain, or continue from the cell's checkpoint.

        Raises:
            ConfigError: the device's memory is not enough for a step.
            RecordError: the encoder of a teacher has been deleted or damaged, or the reference lines
                are damaged.
            CheckpointError: its checkpoint is damaged, here or in the run's store.
        """
        from objbench.engine.training.checkpoint_files import is_checkpoint
        from objbench.engine.training.trainer import pretrain

        job = self.prepared.pretrain_job(cell, self.context.teachers(cell))
        job = replace(job, lines=self.prepared.folder.read_reference_lines())
        if (copies := self.prepared.folder.checkpoint_copies(cell)) is not None:
            on_main(partial(copies.begin, partial(is_checkpoint, key=cell.key)))
            job = replace(job, kept=copies.put)
        report = partial(self.context.report, cell.id)
        tracked = self._tracked(cell)
        with (
            CellLog(self.prepared.folder.log(cell), report, tracked) as log,
            memory_faults(job),
        ):
            outcome = pretrain(job, report, log)
        return self.record(
            cell,
            started,
            status=outcome.status,
            reason=outcome.reason,
            cost=outcome.cost,
            reached=outcome.reached,
            log=list(outcome.log),
            points=list(outcome.points),
            made_from=self._made_from(cell),
        )

    def remove_leftovers(self, cell: PlannedCell, record: AnyRecord) -> None:
        """Remove the checkpoints of a finished cell; one that failed continues from them."""
        if record.status != "failed":
            self.prepared.folder.remove_checkpoints(cell)

    def _tracked(self, cell: PlannedCell) -> list[TrackedCell]:
        """The cell in each tracker that the run was given."""
        return [
            tracked_cell(
                name,
                self.prepared.folder,
                self.context.plan.name,
                cell,
                {**self.fields(cell)["config"], "seed": cell.seed, **cell.settings},
            )
            for name in self.prepared.trackers
        ]

    def _made_from(self, cell: PlannedCell) -> dict[str, str]:
        teachers = self.context.teacher_digests(cell)
        named = {f"teacher {name}": digest for name, digest in teachers.items() if digest}
        if (checkpoint := self.prepared.study.encoder.init_digest) is not None:
            named["checkpoint"] = checkpoint
        return {**self.prepared.text.digests, **named}

    def plugin(self, cell: PlannedCell) -> type[Any] | Composition:
        """The objective."""
        return self.prepared.plugins.objectives[cell.objective][0]

    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """The settings in full, and the teachers."""
        own = self.prepared.study.for_objective(cell.objective, cell.settings)
        config = self.prepared.plugins.config(own, cell.objective)
        fields = {
            "config": {
                **own.model_dump(mode="json", include={"encoder", "data", "training"}),
                "options": recorded_options(config),
                "data_key": self.context.plan.data["key"],
            },
            "steps": cell.step,
            "teachers": {up.objective: up.key for up in map(self.context.cell, cell.needs)},
        }
        return {**fields, "settings": cell.settings} if cell.kind == "trial" else fields
