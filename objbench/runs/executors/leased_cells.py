"""The cells of a plan, for one of several workers: each is run by the one that has its lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice

from objbench.judge.formatting import count
from objbench.results.fence import LeaseLost, fenced
from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, Status
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.outcome import Ended, Outcome
from objbench.runs.executors.attempts import ATTEMPTS, Loss
from objbench.runs.executors.leases import BEAT, Lease, Leases
from objbench.runs.executors.planned_cells import PlannedCells
from objbench.runs.executors.recorded_cells import RecordedCells
from objbench.runs.executors.worker_process import Given

LOOK = 5.0
"""Seconds between two looks at what other workers have finished."""
IDLE = 30.0
"""Seconds without a cell to run after which a worker says what it waits for."""
ASKED = 16
"""Leases of others that are asked for at a look, in turn: each of five hundred workers that asked for all
would read five hundred leases every few seconds."""


class LeasedCells(PlannedCells):
    """The cells that this worker can have.

    Args:
        cells, finished, folder, refuse, leave, ended, shares_memory: as for ``PlannedCells``;
            ``ended`` hears of the cells that were run here.
        say: shows one line.
        leases: of the study.
        owner: who this worker is, as ``this_worker`` says.
        beat: seconds after which a lease is renewed.
        look: seconds between two looks at what others have finished.
    """

    def __init__(
        self,
        cells: Sequence[PlannedCell],
        finished: Mapping[str, Status],
        folder: RunFolder,
        leases: Leases,
        *,
        refuse: Callable[[PlannedCell, str, bool], Outcome],
        leave: Callable[[str, str], None],
        say: Callable[[str], None],
        ended: Ended,
        shares_memory: bool,
        owner: str,
        beat: float = BEAT,
        look: float = LOOK,
    ) -> None:
        super().__init__(
            cells,
            finished,
            folder,
            refuse=refuse,
            leave=leave,
            ended=ended,
            shares_memory=shares_memory,
        )
        self._leases, self._beat, self._look = leases, beat, look
        self._owner, self._say = owner, say
        self._held: dict[str, Lease] = {}
        self._renewed: dict[str, float] = {}
        # Those that others have, or had when they were last asked for.
        self._elsewhere: dict[str, None] = {}
        self._recorded = RecordedCells(folder, cells, finished)
        self._looked = time.monotonic()
        # Since when nothing has been run here; None once that was said.
        self._idle: float | None = self._looked

    @property
    def has_more(self) -> bool:
        """Whether any cell may be run here, now or later."""
        return self._ready.has_more or bool(self._elsewhere)

    def next(self, running: int) -> Given | None:
        """A cell whose lease this worker has, if there is one to be had."""
        given = self._next(running)
        if given or running:
            self._idle = time.monotonic()
        elif self._idle is not None and time.monotonic() - self._idle >= IDLE and self._elsewhere:
            self._idle = None
            self._say(
                f"waiting: other workers have {count(len(self._elsewhere), 'cell')}; those of one that "
                f"is lost are taken over after {self._leases.stale:.0f} seconds"
            )
        return given

    def _next(self, running: int) -> Given | None:
        self._hear_of_others()
        while (cell := self._ready.next(running)) is not None:
            if not self._recorded.is_left(cell.id):
                continue  # Finished elsewhere, which its dependents know already.
            lease = self._held.get(cell.id) or self._leases.take(cell, self._owner)
            if lease is None:
                self._elsewhere[cell.id] = None
                continue
            # It may have been finished since the last look, and its lease removed.
            record = None if cell.id in self._held else self._folder.read_record(cell)
            if record is not None:
                self._leases.end(lease)
                self._recorded.note(cell.id)
                self._ready.end(cell.id, record.status)
                continue
            self._held[cell.id] = lease
            self._renewed[cell.id] = time.monotonic()
            if lease.attempt > ATTEMPTS["lost"]:
                self.refuse(
                    cell, f"its workers were lost, at the last of {lease.attempt - 1} attempts"
                )
                continue
            return self._given(cell, lease.id)
        return None

    def revoked(self) -> Collection[str]:
        """The cells that others have taken over; the leases on all others are renewed."""
        now, lost = time.monotonic(), set()
        for name in [name for name, at in self._renewed.items() if now - at >= self._beat]:
            try:
                self._leases.renew(self._held[name].name, self._held[name].id)
                self._renewed[name] = now
            except LeaseLost:
                self._leave(name)
                lost.add(name)
        return lost

    def lose(self, cell: PlannedCell, loss: Loss) -> None:
        """As of ``PlannedCells``; but what another worker has is left to it."""
        if loss.kind == "fenced":
            self._leave(cell.id)
        else:
            super().lose(cell, loss)

    def finish(self, cell: PlannedCell, outcome: Outcome) -> None:
        """Note that a cell has its record, and remove its lease."""
        if lease := self._held.pop(cell.id, None):
            del self._renewed[cell.id]
            self._leases.end(lease)
        self._recorded.note(cell.id)
        super().finish(cell, outcome)

    def refuse(self, cell: PlannedCell, reason: str, fixable: bool = False) -> None:
        """Store that a cell was given up, unless another worker has it by now."""
        lease = self._held[cell.id]
        try:
            with fenced(lambda: self._leases.renew(lease.name, lease.id)):
                super().refuse(cell, reason, fixable)
        except LeaseLost:
            self._leave(cell.id)

    def give_back(self) -> None:
        """Let others continue the cells that this worker had."""
        for lease in self._held.values():
            self._leases.give_back(lease)
        self._held.clear()
        self._renewed.clear()

    def _leave(self, cell: str) -> None:
        self._show_leaving(cell, "another worker has taken it over")
        del self._held[cell], self._renewed[cell]
        self._elsewhere[cell] = None

    def _hear_of_others(self) -> None:
        """Note what others have finished, and ask again for what they may have given back."""
        if time.monotonic() - self._looked < self._look:
            return
        for cell, record in self._recorded.new():
            if cell.id not in self._held:
                self._note(cell, record)
        for name in [*islice(self._elsewhere, ASKED)]:
            del self._elsewhere[name]
            self._ready.again(name)
        self._looked = time.monotonic()

    def _note(self, cell: PlannedCell, record: AnyRecord) -> None:
        self._elsewhere.pop(cell.id, None)
        self._ready.end(cell.id, record.status)
