"""Runs cells in processes, one per slot, and replaces those that die.

A slot is a share of a machine: some of its cores, or one of its GPUs. The death of a process costs
its cell one attempt. An interrupt ends all processes: those that train keep the state of their last
step, those that do not answer are killed, and none is left.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from multiprocessing.connection import wait as wait_for_any
from typing import Protocol

from objbench.engine.training.interruption import interrupts_between_steps
from objbench.errors import ObjbenchError
from objbench.results.plan import PlannedCell
from objbench.runs.cells.outcome import Outcome
from objbench.runs.executors.attempts import Loss
from objbench.runs.executors.worker_process import Given, Start, WorkerProcess
from objbench.runs.progress import Report

GRACE = 20.0
"""Seconds that processes are given to keep their state after an interrupt; clusters give thirty."""
LATE = 60.0
"""Seconds after its time limit at which a cell that has not ended itself is ended with its process."""
_POLL = 0.25
_FALSE_STARTS = 3
"""Processes in a row that end before they can begin: the next would as well."""


class Cells(Protocol):
    """Where cells come from, and who hears how they end."""

    @property
    def has_more(self) -> bool:
        """Whether any cell can be given out, now or later, without one that runs ending."""

    def next(self, running: int) -> Given | None:
        """A cell to run now beside ``running`` others, if there is one."""

    def revoked(self) -> Collection[str]:
        """The ids of cells that are not to be run here any longer; asked several times a second."""

    def end(self, cell: PlannedCell, outcome: Outcome) -> None:
        """Note how a cell ended."""

    def lose(self, cell: PlannedCell, loss: Loss) -> None:
        """Note that an attempt at a cell was lost."""


class Supervision:
    """Processes that run cells.

    Args:
        slots: for the process of each slot, what it has in its environment beside what this one has.
        start: makes what runs cells, in each process.
        report: called with the progress of cells.
        cell_timeout: seconds that a cell may take, which its own process looks after as long as it
            answers; None for no limit.
        fresh_after_failure: a process is replaced after a cell that failed, as a GPU that has met an error
            answers nothing any more from the process that caused it.
    """

    def __init__(
        self,
        slots: Sequence[Mapping[str, str]],
        start: Start,
        report: Report,
        *,
        cell_timeout: float | None = None,
        fresh_after_failure: bool = False,
    ) -> None:
        self._slots = slots
        self._start = start
        self._report = report
        self._limit = None if cell_timeout is None else cell_timeout + LATE
        self._fresh_after_failure = fresh_after_failure
        self._workers: dict[int, WorkerProcess] = {}
        self._given: dict[int, tuple[PlannedCell, float]] = {}
        self._false_starts = 0

    def run(self, cells: Cells) -> None:
        """Run ``cells`` until there are no more.

        Raises:
            KeyboardInterrupt: there was an interrupt, whose signal it has; all processes have ended.
            ObjbenchError: the study cannot go on; all processes have ended.
        """
        with interrupts_between_steps(alone=True) as interrupted:
            ends_well = False
            try:
                while not interrupted():
                    self._revoke(cells.revoked())
                    self._fill(cells)
                    if not self._given and not cells.has_more:
                        ends_well = True
                        break
                    self._hear(cells)
            finally:
                self._end()
            if not ends_well:
                raise KeyboardInterrupt(interrupted())

    def _fill(self, cells: Cells) -> None:
        """Give every free slot a cell, as long as there are cells."""
        for slot, environment in enumerate(self._slots):
            if slot in self._given:
                continue
            given = cells.next(len(self._given))
            if given is None:
                return
            worker = self._workers.get(slot)
            if worker is None or not worker.is_alive:
                worker = self._workers[slot] = WorkerProcess(self._start, environment)
            worker.give(given)
            self._given[slot] = given.cell, time.monotonic()

    def _hear(self, cells: Cells) -> None:
        """Hear what running cells have to say, after waiting a little for it."""
        busy = [self._workers[slot].connection for slot in self._given]
        if busy:
            # A process that a plugin started may hold the pipe of one that is gone, so the pipe is
            # not the only sign of its end, and this wait is a short one.
            wait_for_any(busy, _POLL)
        else:
            time.sleep(_POLL)
        for slot, (cell, since) in list(self._given.items()):
            worker = self._workers[slot]
            heard = worker.hear(self._report)
            if heard is None and not worker.is_ready:
                self._given[slot] = cell, time.monotonic()  # Its time begins when it can begin.
            elif heard is None and self._is_late(since):
                heard = Loss("hung", "it did not end in the time of --cell-timeout")
            if heard is None:
                continue
            del self._given[slot]
            if isinstance(heard, Outcome):
                self._false_starts = 0
                if self._fresh_after_failure and heard.status == "failed":
                    self._drop(slot)
                cells.end(cell, heard)
            else:
                self._count_start(worker, heard)
                self._drop(slot)
                cells.lose(cell, heard)

    def _revoke(self, revoked: Collection[str]) -> None:
        for slot, (cell, _) in list(self._given.items()):
            if cell.id in revoked:
                del self._given[slot]
                self._drop(slot)

    def _is_late(self, since: float) -> bool:
        return self._limit is not None and time.monotonic() - since > self._limit

    def _count_start(self, worker: WorkerProcess, loss: Loss) -> None:
        """Raise where the processes end before they can begin: it is no cell's doing."""
        self._false_starts = 0 if worker.is_ready else self._false_starts + 1
        if self._false_starts >= _FALSE_STARTS:
            raise ObjbenchError(
                f"{_FALSE_STARTS} worker processes in a row ended before they could begin (the "
                f"last: {loss.words}); what was finished is kept: run the same command again to "
                "continue, with fewer --jobs if memory is short"
            )

    def _drop(self, slot: int) -> None:
        worker = self._workers.pop(slot)
        worker.close()
        worker.kill()

    def _end(self) -> None:
        """End every process: within the time of grace, or at once after another interrupt."""
        try:
            for slot, worker in self._workers.items():
                worker.interrupt() if slot in self._given else worker.close()
            end = time.monotonic() + GRACE
            for worker in self._workers.values():
                worker.wait(end - time.monotonic())
        finally:
            for worker in self._workers.values():
                worker.kill()
