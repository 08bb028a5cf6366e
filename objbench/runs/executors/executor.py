"""What runs the cells of a plan, wherever that is.

A cell is run once all cells that it needs have succeeded; what needs a cell that did not succeed
is never run. Each cell leaves its record in the run folder, so a run can end at any instant, and
the next one starts with the cells that have none. A cluster needs no executor of its own: it starts
workers, by hand or as in ``starters``, and ``pull_workers`` waits for what they store.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from objbench.results.plan import Plan
from objbench.results.records import Status
from objbench.runs.cells.outcome import Ended
from objbench.runs.cells.prepared_study import PreparedStudy


class Executor(Protocol):
    """Runs the cells of a plan."""

    @property
    def threads(self) -> int | None:
        """The threads that each cell has; None for those of this process."""

    @property
    def jobs(self) -> int:
        """How many pretrainings run at the same time."""

    @property
    def is_here(self) -> bool:
        """Whether the cells run on this machine, with nobody else's help."""

    def run(
        self,
        prepared: PreparedStudy,
        plan: Plan,
        finished: Mapping[str, Status],
        ended: Ended,
    ) -> None:
        """Run every cell of ``plan`` that is not finished and whose needs succeed.

        Args:
            prepared: the study; its display is sent the progress of running cells.
            plan: its plan, which has been stored in the run folder.
            finished: the cells not to run, as ``RunFolder.finished_cells`` finds them.
            ended: called with how each cell ended that this process ran or had run, at once.
        """
