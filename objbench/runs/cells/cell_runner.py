"""One cell: do its work, and store its record.

This is the only place where a failing cell is caught: whatever goes wrong inside is stored as a
record with status and reason, and the study continues. A bug also leaves its traceback on stderr.
Only a disk that takes no more ends the study at once: it is no cell's failure.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable

from objbench.engine.training.allocator import keep_freed_memory
from objbench.errors import ObjbenchError, StorageError
from objbench.results.fence import require_lease
from objbench.results.plan import PlannedCell
from objbench.results.provenance import now
from objbench.results.records import AnyRecord
from objbench.results.storage_faults import refuse_storage_fault, storage_faults
from objbench.runs.cells.cell_kinds import KINDS
from objbench.runs.cells.out_of_memory import is_out_of_memory
from objbench.runs.cells.outcome import Outcome, outcome_of
from objbench.runs.cells.plugin_fault import reason_of
from objbench.runs.cells.run_context import RunContext
from objbench.runs.processes import is_main
from objbench.runs.watch import TimeUp, time_limit


class CellRunner:
    """Runs cells of one planned study in this process."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.folder = context.prepared.folder
        self._report = context.report
        self._time = context.prepared.cell_timeout
        self._works = {name: kind.work(context, kind.record) for name, kind in KINDS.items()}
        if context.prepared.device == "cpu":
            keep_freed_memory()

    def __call__(self, cell: PlannedCell, needs: Iterable[PlannedCell] = ()) -> Outcome:
        """Run ``cell`` and store its record, whatever happens.

        One that ran out of memory has no record yet: whoever has it run attempts it again, or
        refuses it.

        Args:
            needs: the cells that it needs, where the plan is here without its cells.

        Raises:
            StorageError: a disk is full, read-only or gone.
        """
        self._context.know(needs)
        work = self._works[cell.kind]
        started = now()
        self._report(cell.id, 0, 1, "")  # It has started, so it may be missed.
        try:
            with time_limit(self._time):
                record = work.do(cell, started)
        # The one place that stores any failure; foreign code may also try to end the program.
        except (Exception, SystemExit, TimeUp) as error:  # noqa: BLE001
            refuse_storage_fault(error, self.folder)
            # A fine-tuning that leaves the finite numbers is a finding, not a bug.
            fixable = isinstance(error, ObjbenchError | FloatingPointError | TimeUp)
            if is_out_of_memory(error):
                return Outcome(cell.id, "failed", reason_of(error), out_of_memory=True)
            if not fixable:
                traceback.print_exc(file=sys.stderr)
            record = work.record(
                cell, started, status="failed", reason=reason_of(error), fixable=fixable
            )
        if _is_mine(cell):
            with storage_faults(self.folder):
                record = self._store(record)
            work.remove_leftovers(cell, record)
        return outcome_of(record)

    def refuse(self, cell: PlannedCell, reason: str, fixable: bool = False) -> Outcome:
        """Store that ``cell`` cannot be run, why, and whether the user can fix that."""
        record = self._works[cell.kind].record(
            cell, now(), status="failed", reason=reason, fixable=fixable
        )
        if _is_mine(cell):
            with storage_faults(self.folder):
                self._store(record)
        return outcome_of(record)

    def _store(self, record: AnyRecord) -> AnyRecord:
        """Store a record, but never make the folder again that was removed meanwhile.

        Returns:
            The record of the cell: this one, or that of whoever was first.

        Raises:
            LeaseLost: another worker has the cell.
        """
        require_lease()
        if not self.folder.has_plan() and self.folder.read_text_plan() is None:
            raise StorageError(
                f"{self.folder} was removed, or its disk is gone, while the study ran: "
                "run the same command again"
            )
        return self.folder.write_record(record)


def _is_mine(cell: PlannedCell) -> bool:
    """Whether this process stores the record of ``cell``: one of those that ran it together does."""
    return is_main() or not KINDS[cell.kind].together
