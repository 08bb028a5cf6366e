"""The cells of a plan as they are given to supervised processes, and what is lost attempted again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from objbench.results.plan import PlannedCell
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.outcome import Ended, Outcome
from objbench.runs.executors.attempts import Attempts, Loss
from objbench.runs.executors.ready_cells import ReadyCells
from objbench.runs.executors.worker_process import Given


class PlannedCells:
    """The cells of a plan, for one supervisor that runs all of them.

    Args:
        cells: of the plan.
        finished: those not to run, as ``RunFolder.finished_cells`` finds them.
        folder: the run folder.
        refuse: stores the record of a cell that was not run to its end, which says why, and whether
            the user can fix that.
        leave: shows that a cell is not run here any longer although it has not ended, and why.
        ended: called with how each cell ended.
        shares_memory: as ``Attempts.shares_memory``.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        finished: Mapping[str, Status],
        folder: RunFolder,
        *,
        refuse: Callable[[PlannedCell, str, bool], Outcome],
        leave: Callable[[str, str], None],
        ended: Ended,
        shares_memory: bool,
    ) -> None:
        self._by_id = {cell.id: cell for cell in cells}
        self._folder = folder
        self._refuse = refuse
        self._show_leaving = leave
        self._ended = ended
        self._ready = ReadyCells(cells, finished)
        self._attempts = Attempts(shares_memory)

    @property
    def has_more(self) -> bool:
        """As ``Cells.has_more``."""
        return self._ready.has_more

    def next(self, running: int) -> Given | None:
        """A cell to run now beside ``running`` others, if there is one."""
        cell = self._ready.next(running)
        return None if cell is None else self._given(cell)

    def _given(self, cell: PlannedCell, lease: str = "") -> Given:
        return Given(cell, lease, tuple(self._by_id[needed] for needed in cell.needs))

    def revoked(self) -> Collection[str]:
        """No cell: nobody else has any."""
        return ()

    def end(self, cell: PlannedCell, outcome: Outcome) -> None:
        """Note how a cell ended; one that ran out of memory may be attempted again."""
        if not outcome.out_of_memory:
            self.finish(cell, outcome)
        elif not self._is_attempted_again(cell, loss := Loss("memory", outcome.text)):
            self._give_up(cell, loss)

    def lose(self, cell: PlannedCell, loss: Loss) -> None:
        """Note that an attempt at a cell was lost; it is attempted again, or its record says why not."""
        # It may have stored its record, and died before it could say so.
        record = self._folder.read_record(cell)
        if record is not None and record.status != "failed":
            self.finish(
                cell, Outcome(cell.id, record.status, "done, and its process lost afterwards")
            )
        elif not self._is_attempted_again(cell, loss):
            self._give_up(cell, loss)

    def finish(self, cell: PlannedCell, outcome: Outcome) -> None:
        """Note that a cell has its record."""
        self._ready.end(cell.id, outcome.status)
        self._ended(outcome)

    def refuse(self, cell: PlannedCell, reason: str, fixable: bool = False) -> None:
        """Give a cell the record that it was not run to its end, and why."""
        self.finish(cell, self._refuse(cell, reason, fixable))

    def _give_up(self, cell: PlannedCell, loss: Loss) -> None:
        # The reason names what to change so that it fits into the memory.
        self.refuse(cell, self._attempts.reason(cell.id, loss), loss.kind == "memory")

    def _is_attempted_again(self, cell: PlannedCell, loss: Loss) -> bool:
        again = self._attempts.again(cell.id, loss)
        if again is None:
            return False
        alone = " when no other cell runs" if again.alone else ""
        self._show_leaving(cell.id, f"{loss.words}; attempt {again.number} follows{alone}")
        self._ready.again(cell.id, again.delay, alone=again.alone)
        return True
