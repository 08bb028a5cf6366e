"""Workers that a run starts itself, as the executor that waits for them knows them."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from objbench.runs.cells.prepared_study import PreparedStudy


class Crew(Protocol):
    """Workers on a cluster, from the connection to it to the end of the last worker.

    As a context manager it spans all rounds of a study. Where its body ends by an error, the workers
    are told to give their cells back; otherwise they find by themselves that nothing is left.
    """

    def __enter__(self) -> object:
        """Connect with the cluster.

        Raises:
            ConfigError: it cannot be reached.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every worker, and the connection."""

    def start(self, prepared: PreparedStudy, at_once: int) -> None:
        """Start the workers that are missing, of all that this round is worth.

        Args:
            prepared: the study, whose plan is in the run folder.
            at_once: how many of the plan's cells are long and can run at the same time: those that
                train an encoder or tokenise a share of the text.

        Raises:
            ConfigError: the cluster takes no workers.
        """

    def keep(self, has_news: bool) -> None:
        """Start another worker in place of each one that has ended although cells are left.

        Args:
            has_news: a cell has got its record since the last time.

        Raises:
            ObjbenchError: no worker is left, and another one would end in the same way.
        """
