"""How much of a plan is done and how long the rest takes, in a few words.

Cells that are alike take about as long: those that have ended, or are under way, say how long the
others of their sort will take. Until one has, the plan's forecast does. As long as nothing is known of
a sort, there is only a lower bound.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Mapping
from statistics import fmean

_SURE = 0.05
"""Share of a cell that must be done here before its speed says how long the whole of it takes."""


class TimeLeft:
    """What is left of a plan.

    Args:
        left: the id of each cell that is still to be run -> its sort.
        total: all cells of the plan.
        jobs: cells that run at the same time; at least so many.
        expected: sort -> seconds that a cell of it is expected to take, as far as that is known.
    """

    def __init__(
        self,
        left: Mapping[str, Hashable],
        total: int,
        jobs: int,
        expected: Mapping[Hashable, float] | None = None,
    ) -> None:
        self._expected = dict(expected or {})
        self._sorts = dict(left)
        self._waiting = Counter(left.values())
        self._total = total
        self._jobs = jobs
        self._done = total - len(left)
        self._running: dict[str, tuple[float, float, float]] = {}
        self._taken: dict[Hashable, list[float]] = {}

    def update(self, cell: str, share: float) -> None:
        """Note that ``share`` of a cell is done."""
        if cell not in self._sorts:
            return
        if cell not in self._running:
            self._waiting[self._sorts[cell]] -= 1
        # One that goes on where it was interrupted begins at a share of its own.
        started, first, _ = self._running.get(cell, (time.monotonic(), share, share))
        self._running[cell] = started, first, share

    def begin(self, cell: str) -> None:
        """Note that a cell is under way where nothing more is heard of it until its end."""
        if cell not in self._running:
            self.update(cell, 0.0)

    def leave(self, cell: str) -> None:
        """Note that a cell is not run any longer, and is still to be run."""
        if self._running.pop(cell, None) is not None and cell in self._sorts:
            self._waiting[self._sorts[cell]] += 1

    def end(self, cell: str) -> None:
        """Note that a cell has ended."""
        sort = self._sorts.pop(cell, None)
        if sort is None:
            return
        self._done += 1
        if cell in self._running:
            started, first, _ = self._running.pop(cell)
            if first <= 1 - _SURE:
                taken = (time.monotonic() - started) / (1 - first)
                self._taken.setdefault(sort, []).append(taken)
        else:
            self._waiting[sort] -= 1

    @property
    def words(self) -> str:
        """Such as "12 of 44 cells, 6 min left"; "" as long as there is no plan."""
        if not self._total:
            return ""
        now = time.monotonic()
        # Copies: another thread shows the words while cells begin and end.
        sorts, running, waiting = self._sorts.copy(), self._running.copy(), self._waiting.copy()
        whole = {sort: fmean(taken) for sort, taken in self._taken.copy().items()}
        running = {cell: known for cell, known in running.items() if cell in sorts}
        for cell, (started, first, share) in running.items():
            if share - first >= _SURE:
                whole.setdefault(sorts[cell], (now - started) / (share - first))
        whole = self._expected | whole
        rests = [
            max(0.0, whole.get(sorts[cell], 0.0) * (1 - first) - (now - started))
            for cell, (started, first, _) in running.items()
        ]
        work = sum(rests) + sum(number * whole.get(sort, 0.0) for sort, number in waiting.items())
        # Where others run the cells, how many they run at a time is seen by what is under way.
        at_a_time = max(self._jobs, len(running))
        seconds = max(work / max(1, min(at_a_time, len(sorts))), *rests, 0.0)
        known = all(sort in whole for sort in sorts.values())
        text = f"{self._done:,} of {self._total:,} cells"
        # What would be shown as "0 s left" is as good as done.
        if round(seconds) < 1:
            return text
        return f"{text}, {'' if known else 'at least '}{_rounded(seconds)} left"


def _rounded(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
