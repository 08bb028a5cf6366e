"""Workers that a run starts on a cluster, and starts again where they are lost.

The cluster only starts processes. Which cell is attempted again is decided by the leases, as for
workers that were started by hand, and a cell that ends all its workers is given up after some
attempts. So here a lost worker is simply replaced, and what it had is given to the others at once
instead of after the time that a lease lasts.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from objbench.errors import ConfigError, ObjbenchError
from objbench.results.object_store import ObjectStore
from objbench.runs.executors.attempts import ATTEMPTS
from objbench.runs.executors.leases import STALE, Leases
from objbench.runs.starters.worker_call import WorkerCall

if TYPE_CHECKING:
    from objbench.runs.cells.prepared_study import PreparedStudy

MOST_STARTS = ATTEMPTS["lost"] + 1
"""Starts in a row without any new record: the leases have given up what could be to blame by then."""

PATIENCE = 20.0
"""Seconds in which workers find that nothing is left; they look every five."""
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Share:
    """How a study is spread over a cluster.

    Attributes:
        workers: how many.
        threads: of each cell; None where a worker divides the cores that it may use.
    """

    workers: int
    threads: int | None


@dataclass(frozen=True, slots=True)
class WorkerEnd:
    """How a worker has ended.

    Attributes:
        refusal: why it could not work, such as other code; "" where it could.
        loss: what ended it from outside; "" where nothing did.
    """

    refusal: str = ""
    loss: str = ""


class Cluster(Protocol):
    """Starts processes on other machines.

    Attributes:
        name: as ``--executor`` has it.
    """

    name: str

    def open(self) -> None:
        """Connect; a ConfigError where that cannot be."""

    def share(self, at_once: int) -> Share:
        """How a round with so many long cells, which can run at the same time, is spread."""

    def start(self, calls: Sequence[WorkerCall], folder: Path) -> Sequence[Any]:
        """Start workers, which may have to wait for their turn; returns what stands for each.

        Args:
            calls: what they are to run.
            folder: the run folder.

        Raises:
            ConfigError: the cluster refuses them.
        """

    def ended(self, worker: Any) -> WorkerEnd | None:
        """How a worker has ended; None while it has not."""

    def cancel(self, workers: Sequence[Any]) -> None:
        """Have workers give their cells back and end; returns when they have, or will without us."""

    def close(self) -> None:
        """Disconnect."""


@dataclass(eq=False)
class _Slot:
    """A worker and those that took its place: ``starts`` since the last record."""

    call: WorkerCall
    worker: Any = None
    starts: int = 0
    is_given_up: bool = False


@dataclass
class StartedWorkers:
    """The workers of a run on a cluster; see ``Crew``.

    Attributes:
        cluster: where they run.
        device: torch device string; None for what is there.
        stale: seconds after which the cell of a worker that is not heard of is taken over.
    """

    cluster: Cluster
    device: str | None = None
    stale: float = STALE
    _slots: list[_Slot] = field(default_factory=list)
    _leases: Leases | None = None
    _say: Callable[[str], None] = print
    _why: str = ""

    def __enter__(self) -> None:
        """Connect with the cluster."""
        self.cluster.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every worker, at once after an error, and disconnect."""
        try:
            end = time.monotonic() + (PATIENCE if error is None else 0.0)
            while (left := self._running()) and time.monotonic() < end:
                time.sleep(_POLL)
            if left:
                self.cluster.cancel([slot.worker for slot in left])
        finally:
            self.cluster.close()

    def start(self, prepared: PreparedStudy, at_once: int) -> None:
        """Start the workers that are missing; those that have other threads than these are replaced."""
        folder, share = prepared.folder, self.cluster.share(at_once)
        device = self.device
        self._leases, self._say = Leases(folder.store, self.stale), prepared.display.say
        call = WorkerCall(
            name="",
            run=folder.path.resolve(),
            where=Path.cwd(),
            cache=prepared.cache.resolve(),
            # A worker sees the GPUs that it was given, and no other.
            device="cuda" if device and device.startswith("cuda") else device,
            threads=share.threads,
            cell_timeout=prepared.cell_timeout,
            stale=self.stale,
            store=folder.store if isinstance(folder.store, ObjectStore) else None,
        )
        kept = self._kept(share)
        # What was refused or lost in the round before may be able to work in this one.
        self._slots = kept + [_Slot(call) for _ in range(share.workers - len(kept))]
        self._fill()
        number = len(self._slots)
        self._say(f"{number} worker{'s' if number != 1 else ''} on {self.cluster.name}")

    def keep(self, has_news: bool) -> None:
        """Replace the workers that have ended."""
        # One that has ended is replaced at the next look: it may have run the last cell.
        self._fill()
        for slot in self._slots:
            slot.starts = 1 if has_news else slot.starts
        self._running()
        if all(slot.is_given_up for slot in self._slots):
            raise ObjbenchError(
                f"no worker is left on {self.cluster.name}: {self._why}; what was finished is kept: "
                "run the same command again to continue"
            )

    def _kept(self, share: Share) -> list[_Slot]:
        """The workers of the round before that are right for this one; others have been ended.

        Nothing is left to them of that round, and what they take of a machine would keep those of
        another share from being started.
        """
        running = self._running()
        other = [slot for slot in running if slot.call.threads != share.threads]
        if other:
            self.cluster.cancel([slot.worker for slot in other])
        kept = [slot for slot in running if slot not in other]
        for slot in kept:
            slot.starts = 1
        return kept

    def _fill(self) -> None:
        """Start a worker in every slot that has none."""
        free = [slot for slot in self._slots if slot.worker is None and not slot.is_given_up]
        if not free:
            return
        for slot in free:
            slot.call = replace(slot.call, name=secrets.token_hex(6))
            slot.starts += 1
        started = self.cluster.start([slot.call for slot in free], free[0].call.run)
        for slot, worker in zip(free, started, strict=True):
            slot.worker = worker

    def _running(self) -> list[_Slot]:
        """The slots whose workers run or wait for their turn; those that have ended are freed."""
        running = []
        for slot in (slot for slot in self._slots if slot.worker is not None):
            end = self.cluster.ended(slot.worker)
            if end is None:
                running.append(slot)
                continue
            slot.worker = None
            if end.loss and self._leases is not None:
                self._leases.take_back(slot.call.name)
            self._why = end.refusal or end.loss or "the workers end although cells are left"
            slot.is_given_up = bool(end.refusal) or slot.starts >= MOST_STARTS
            if end.refusal or end.loss:
                self._say(f"a worker on {self.cluster.name} has ended: {self._why}")
        return running


def require_package(executor: str, package: str) -> None:
    """Make sure that a package of an executor is there, without importing it.

    Raises:
        ConfigError: it is not installed.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise ConfigError(
            f"--executor {executor} needs the package {package}: pip install 'objbench[{executor}]'"
        )
