"""What every cell of a planned study shares while it runs in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from objbench.contract.composition import Composition
from objbench.errors import RecordError
from objbench.plugins.registry import Registry
from objbench.plugins.source_digest import source_digest
from objbench.results.plan import Plan, PlannedCell, PlannedSuite
from objbench.results.provenance import provenance
from objbench.results.records import EvaluationRecord, ExportedPoint, Plugin, PretrainRecord
from objbench.results.run_folder import read_plan, read_record, record_path
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.processes import processes
from objbench.study.study import Study

Report = Callable[[str, int, int, str], None]
"""Called with (cell id, done, total, text) now and then while a cell runs."""


@dataclass(frozen=True)
class RunContext:
    """A planned study in this process.

    Attributes:
        run: the run folder, with its plan written.
        cache: folder for tokenised text and task data.
        device: torch device string.
        command: the command line, for the records.
        registry: the loaded plugins.
        report: told of progress.
    """

    run: Path
    cache: Path
    device: str
    command: str
    registry: Registry
    report: Report = field(default=lambda cell, done, total, text: None)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run folder."""
        return read_plan(self.run)

    @cached_property
    def study(self) -> Study:
        """The study that was planned."""
        return Study.model_validate(self.plan.study)

    @cached_property
    def plugins(self) -> ConfiguredPlugins:
        """Its plugins, configured."""
        return configure_plugins(self.study, self.registry)

    @cached_property
    def _cells(self) -> dict[str, PlannedCell]:
        return {cell.id: cell for cell in self.plan.cells}

    def cell(self, cell_id: str) -> PlannedCell:
        """The planned cell of that id."""
        return self._cells[cell_id]

    def suite(self, name: str) -> PlannedSuite:
        """The planned suite of that name."""
        return next(suite for suite in self.plan.suites if suite.name == name)

    def record_path(self, cell: PlannedCell) -> Path:
        """Where the record of ``cell`` lies."""
        return record_path(self.run, cell.kind, cell.id, cell.key)

    def pretraining(self, cell: PlannedCell) -> PretrainRecord:
        """The record of the pretraining that ``cell`` evaluates."""
        return self._pretrained(self.cell(cell.needs[0]))

    def exported(self, cell: PlannedCell) -> ExportedPoint:
        """The exported encoder that ``cell`` evaluates."""
        return self._point(self.cell(cell.needs[0]), cell.step)

    def encoder(self, cell: PlannedCell) -> Path:
        """The folder of the exported encoder that ``cell`` evaluates.

        Raises:
            RecordError: it has been deleted.
        """
        return self._folder(self.cell(cell.needs[0]), cell.step)

    def teachers(self, cell: PlannedCell) -> dict[str, Path]:
        """The final encoders that the pretraining ``cell`` learns from, by objective.

        Raises:
            RecordError: one has been deleted.
        """
        needed = map(self.cell, cell.needs)
        return {teacher.objective: self._folder(teacher, teacher.step) for teacher in needed}

    def _pretrained(self, cell: PlannedCell) -> PretrainRecord:
        path = self.record_path(cell)
        record = read_record(path)
        if not isinstance(record, PretrainRecord):
            raise RecordError(f"{path} is not the record of a pretraining; delete it")
        return record

    def _point(self, cell: PlannedCell, step: int) -> ExportedPoint:
        points = self._pretrained(cell).points
        return next(point for point in points if point.meters.steps == step)

    def _folder(self, cell: PlannedCell, step: int) -> Path:
        folder = self.run / self._point(cell, step).encoder
        if not folder.is_dir():
            raise RecordError(
                f"the encoder {folder} is gone; delete {self.record_path(cell)} to pretrain it again"
            )
        return folder

    def evaluation(self, cell: PlannedCell) -> EvaluationRecord:
        """The record of an evaluation."""
        path = self.record_path(cell)
        record = read_record(path)
        if not isinstance(record, EvaluationRecord):
            raise RecordError(f"{path} is not the record of an evaluation; delete it")
        return record

    def fields(
        self, cell: PlannedCell, owner: type[Any] | Composition, started: str
    ) -> dict[str, Any]:
        """What the record of ``cell`` holds whatever comes out, but for status and reason.

        Args:
            owner: the plugin's class, or the composition.
            started: when the cell was started.
        """
        name = cell.suite or cell.objective
        origin = self.registry.origin(name)
        return {
            "id": cell.id,
            "key": cell.key,
            "objective": cell.objective,
            "seed": cell.seed,
            "plugin": Plugin(
                name=name,
                project=origin.project,
                version=origin.version,
                source=source_digest(owner),
            ),
            "provenance": provenance(self.command, self.device, processes(), started),
        }
