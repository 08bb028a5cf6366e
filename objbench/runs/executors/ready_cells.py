"""The cells of a plan that can be run now, each as soon as all that it needs has succeeded."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from objbench.results.plan import PlannedCell
from objbench.results.records import Status


class ReadyCells:
    """Gives out cells in the order of the plan, as far as their needs allow.

    Every cell and every need is looked at once, so a plan of 100,000 cells costs no more per cell
    than one of ten.

    Args:
        cells: of the plan.
        finished: those not to run, as ``RunFolder.finished_cells`` finds them.
    """

    def __init__(self, cells: Sequence[PlannedCell], finished: Mapping[str, Status]) -> None:
        self._cells = {cell.id: cell for cell in cells if cell.id not in finished}
        self._place = {cell.id: place for place, cell in enumerate(cells)}
        self._missing: dict[str, int] = {}
        self._dependents: defaultdict[str, list[str]] = defaultdict(list)
        self._ready: list[tuple[int, str]] = []
        self._later: list[tuple[float, int, str]] = []
        self._alone: list[tuple[int, str]] = []
        self._running_alone = ""
        done = succeeded(finished)
        for cell in self._cells.values():
            needed = {*cell.needs} - done
            self._missing[cell.id] = len(needed)
            for other in needed:
                self._dependents[other].append(cell.id)
            if not needed:
                self._push(cell.id)

    @property
    def has_more(self) -> bool:
        """Whether any cell can be given out, now or later, without another one ending."""
        return bool(self._ready or self._later or self._alone)

    def next(self, running: int = 0) -> PlannedCell | None:
        """The first cell that can be run now, if there is one.

        Args:
            running: cells that run at the moment; one that must run alone waits until none does.
        """
        while self._later and self._later[0][0] <= time.monotonic():
            self._push(heappop(self._later)[2])
        if self._running_alone:
            return None
        if self._ready:
            return self._cells[heappop(self._ready)[1]]
        if self._alone and not running:
            self._running_alone = heappop(self._alone)[1]
            return self._cells[self._running_alone]
        return None

    def again(self, cell: str, delay: float = 0.0, *, alone: bool = False) -> None:
        """Give a cell out once more.

        Args:
            cell: its id; it was given out before.
            delay: seconds until then.
            alone: not while another cell runs, so that it has the machine's memory to itself. It
                waits for a moment when nothing else is left to run, which keeps no other waiting.
        """
        self._note_end(cell)
        if alone:
            heappush(self._alone, (self._place[cell], cell))
        elif delay:
            heappush(self._later, (time.monotonic() + delay, self._place[cell], cell))
        else:
            self._push(cell)

    def end(self, cell: str, status: Status) -> None:
        """Note how a cell ended; what needs one that did not succeed is never given out."""
        self._note_end(cell)
        if status != "ok":
            return
        for waiting in self._dependents.pop(cell, ()):
            self._missing[waiting] -= 1
            if not self._missing[waiting]:
                self._push(waiting)

    def _note_end(self, cell: str) -> None:
        if cell == self._running_alone:
            self._running_alone = ""

    def _push(self, cell: str) -> None:
        heappush(self._ready, (self._place[cell], cell))


def succeeded(finished: Mapping[str, Status]) -> set[str]:
    """The ids of the cells that others can build on."""
    return {cell for cell, status in finished.items() if status == "ok"}
