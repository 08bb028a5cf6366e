"""What the cells of a planned study look up while they run: other cells, their records, encoders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from objbench.errors import RecordError
from objbench.results.plan import Plan, PlannedCell, PlannedSuite
from objbench.results.records import EvaluationRecord, PretrainRecord
from objbench.results.sealed_folder import damage
from objbench.results.training_points import ExportedPoint
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.progress import Report


@dataclass(frozen=True)
class RunContext:
    """A planned study in this process.

    Attributes:
        prepared: the study.
        plan: its plan.
        report: called with the progress of cells.
    """

    prepared: PreparedStudy
    plan: Plan
    report: Report

    @cached_property
    def _cells(self) -> dict[str, PlannedCell]:
        return {cell.id: cell for cell in self.plan.cells}

    def know(self, cells: Iterable[PlannedCell]) -> None:
        """Take in cells that ``plan``, which may have been sent without its cells, does not hold."""
        self._cells.update((cell.id, cell) for cell in cells)

    def cell(self, cell_id: str) -> PlannedCell:
        """The planned cell of that id."""
        return self._cells[cell_id]

    def same_floor(self, cell: PlannedCell) -> tuple[PlannedCell, ...]:
        """The cells that score the same floor as ``cell``, for other objectives."""
        return tuple(other for other in self._floors[_floor(cell)] if other.id != cell.id)

    @cached_property
    def _floors(self) -> dict[tuple[object, ...], list[PlannedCell]]:
        # A worker gets the plan without its cells.
        found: dict[tuple[object, ...], list[PlannedCell]] = defaultdict(list)
        for cell in self.plan.cells or self.prepared.folder.read_plan().cells:
            if cell.kind == "floor":
                found[_floor(cell)].append(cell)
        return found

    def suite(self, name: str) -> PlannedSuite:
        """The planned suite of that name."""
        return next(suite for suite in self.plan.suites if suite.name == name)

    def pretraining(self, cell: PlannedCell) -> PretrainRecord:
        """The record of the pretraining that ``cell`` evaluates."""
        return self._pretrained(self.cell(cell.needs[0]))

    def exported(self, cell: PlannedCell) -> ExportedPoint:
        """The exported encoder that ``cell`` evaluates."""
        return self._point(self.cell(cell.needs[0]), cell.step)

    def encoder(self, cell: PlannedCell) -> Path:
        """The folder of the exported encoder that ``cell`` evaluates.

        Raises:
            RecordError: it has been deleted, or is not what was exported.
        """
        return self._encoder(self.cell(cell.needs[0]), cell.step)

    def teachers(self, cell: PlannedCell) -> dict[str, Path]:
        """The final encoders that the pretraining ``cell`` learns from, by objective.

        Raises:
            RecordError: one has been deleted, or is not what was exported.
        """
        needed = map(self.cell, cell.needs)
        return {teacher.objective: self._encoder(teacher, teacher.step) for teacher in needed}

    def teacher_digests(self, cell: PlannedCell) -> dict[str, str]:
        """Objective -> the digest of the final encoder that ``cell`` learns from; "" where unknown."""
        needed = map(self.cell, cell.needs)
        return {one.objective: self._point(one, one.step).digest for one in needed}

    def evaluation(self, cell: PlannedCell) -> EvaluationRecord:
        """The record of an evaluation.

        Raises:
            RecordError: it is gone, or cannot be read.
        """
        record = self.prepared.folder.read_record(cell)
        if not isinstance(record, EvaluationRecord):
            raise _wrong(self._where(cell), "an evaluation")
        return record

    def _pretrained(self, cell: PlannedCell) -> PretrainRecord:
        record = self.prepared.folder.read_record(cell)
        if not isinstance(record, PretrainRecord):
            raise _wrong(self._where(cell), "a pretraining")
        return record

    def _point(self, cell: PlannedCell, step: int) -> ExportedPoint:
        for point in self._pretrained(cell).points:
            if point.meters.steps == step:
                return point
        raise RecordError(
            f"{self._where(cell)} has no encoder of step {step}; delete it to pretrain it again"
        )

    def _encoder(self, cell: PlannedCell, step: int) -> Path:
        point = self._point(cell, step)
        folder = self.prepared.folder.fetch_encoder(point)
        again = f"delete {self._where(cell)} to pretrain it again"
        if self.prepared.folder.is_pruned(point):
            raise RecordError(f"the encoder {folder} was removed by `objbench prune`; {again}")
        if not folder.is_dir():
            raise RecordError(f"the encoder {folder} is gone; {again}")
        # Encoders from before there were digests have nothing that they could be compared with.
        if point.digest and (fault := damage(folder, point.digest)):
            raise RecordError(f"the encoder {folder} is damaged ({fault}); {again}")
        return folder

    def _where(self, cell: PlannedCell) -> str:
        return self.prepared.folder.where(cell)


def _floor(cell: PlannedCell) -> tuple[object, ...]:
    return cell.suite, cell.task, cell.floor, cell.seed, cell.finetune_seed


def _wrong(where: str, kind: str) -> RecordError:
    return RecordError(f"{where} is not the record of {kind}; delete it and run the study again")
