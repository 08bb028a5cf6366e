"""One cell: do its work, and store its record.

This is the only place where a failing cell is caught: whatever goes wrong inside is stored as a
record with status and reason, and the study continues. A bug also leaves its traceback on stderr.
"""

from __future__ import annotations

import shutil
import sys
import traceback
from dataclasses import dataclass

from objbench.engine.training.allocator import keep_freed_memory
from objbench.errors import ObjbenchError, one_line
from objbench.results.plan import PlannedCell
from objbench.results.provenance import now
from objbench.results.records import Status
from objbench.runs.cells.cell_kinds import KINDS
from objbench.runs.cells.run_context import RunContext
from objbench.runs.processes import is_main


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended.

    Attributes:
        id: the cell's.
        status: as in its record.
        text: what to show in a few words.
        fixable: a failure that the user can fix (bad input) rather than a bug.
    """

    id: str
    status: Status
    text: str
    fixable: bool = False


class CellRunner:
    """Runs cells of one planned study in this process."""

    def __init__(self, context: RunContext) -> None:
        self.folder = context.prepared.folder
        self._works = {name: kind.work(context, kind.record) for name, kind in KINDS.items()}
        if context.prepared.device == "cpu":
            keep_freed_memory()

    def __call__(self, cell: PlannedCell) -> Outcome:
        """Run ``cell`` and store its record, whatever happens."""
        work = self._works[cell.kind]
        started = now()
        fixable = False
        try:
            record, text = work.do(cell, started)
        except Exception as error:  # noqa: BLE001 - the one place that stores any failure
            # A fine-tuning that leaves the finite numbers is a finding, not a bug.
            fixable = isinstance(error, ObjbenchError | FloatingPointError)
            if not fixable:
                traceback.print_exc(file=sys.stderr)
            text = one_line(error) if fixable else f"{type(error).__name__}: {one_line(error)}"
            record = work.record(cell, started, status="failed", reason=text)
        if is_main() or not KINDS[cell.kind].together:
            self.folder.write_record(record)
            if (leftovers := work.leftovers(cell, record)) is not None:
                shutil.rmtree(leftovers, ignore_errors=True)
        return Outcome(cell.id, record.status, text, fixable)
