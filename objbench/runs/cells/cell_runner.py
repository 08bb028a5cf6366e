"""One cell: do its work, and store its record.

This is the only place where a failing cell is caught: whatever goes wrong inside is stored as a
record with status and reason, and the study goes on. A bug also leaves its traceback on stderr.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import Protocol

from objbench.engine.training.allocator import keep_freed_memory
from objbench.errors import ObjbenchError, one_line
from objbench.results.plan import PlannedCell
from objbench.results.provenance import now
from objbench.results.records import AnyRecord, Status
from objbench.results.run_folder import write_record
from objbench.runs.cells.curve import CurveWork
from objbench.runs.cells.evaluation import EvaluationWork
from objbench.runs.cells.pretrain import PretrainWork
from objbench.runs.cells.run_context import RunContext
from objbench.runs.processes import is_main


class Work(Protocol):
    """What one kind of cell does."""

    def do(self, cell: PlannedCell, started: str) -> tuple[AnyRecord, str]:
        """The cell's record, and what to tell the user in a few words."""

    def failed(self, cell: PlannedCell, started: str, reason: str) -> AnyRecord:
        """The record of a failure."""

    def stored(self, cell: PlannedCell, record: AnyRecord) -> None:
        """Clean up, now that the record is stored."""


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
    """Runs cells of one planned study in this process."""

    def __init__(self, place: RunContext) -> None:
        self.place = place
        self._works: dict[str, Work] = {
            "trial": PretrainWork(place),
            "pretrain": PretrainWork(place),
            "trial_evaluation": EvaluationWork(place),
            "evaluation": EvaluationWork(place),
            "curve": CurveWork(place),
        }
        if place.device == "cpu":
            keep_freed_memory()

    def __call__(self, cell: PlannedCell) -> Outcome:
        """Run ``cell`` and store its record, whatever happens."""
        work = self._works[cell.kind]
        started = now()
        mendable = False
        try:
            record, text = work.do(cell, started)
        except Exception as error:  # noqa: BLE001 - the one place that stores any failure
            # A fine-tuning that leaves the finite numbers is a finding, not a bug.
            mendable = isinstance(error, ObjbenchError | FloatingPointError)
            if not mendable:
                traceback.print_exc(file=sys.stderr)
            text = one_line(error) if mendable else f"{type(error).__name__}: {one_line(error)}"
            record = work.failed(cell, started, text)
        # All processes pretrain one cell together; any other cell is one process's own.
        if cell.kind not in ("trial", "pretrain") or is_main():
            write_record(self.place.run, record)
            work.stored(cell, record)
        return Outcome(cell.id, record.status, text, mendable)
