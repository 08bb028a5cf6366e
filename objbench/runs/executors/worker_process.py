"""One process that runs cells, one at a time, for a process that supervises it.

The two talk through a pipe of their own. Processes of a pool that share queues and locks can all be
stopped by one that is killed while it holds them; here nothing is shared, so one that dies takes its
own cell with it and nothing else.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_any
from typing import Literal, NamedTuple

from objbench.engine.training.interruption import INTERRUPTS
from objbench.errors import ObjbenchError, StorageError
from objbench.results.fence import LeaseLost
from objbench.results.plan import PlannedCell
from objbench.runs.cells.outcome import Outcome
from objbench.runs.environment import changed_environment
from objbench.runs.executors.attempts import Loss, loss_by_exit
from objbench.runs.progress import Report

Runner = Callable[["Given"], Outcome]
Start = Callable[[Report], Runner]
"""Called in the worker with what shows the progress of cells; returns what runs them."""

_BLOCKED = {*INTERRUPTS} - {signal.SIGTERM}
_LAST_WORDS = 10.0
"""Seconds that a process is given to end by itself once its pipe is closed."""


class Given(NamedTuple):
    """A cell to run.

    Attributes:
        cell: the cell.
        lease: the identity of the lease on it; "" where nobody else could run it.
        needs: the cells that it needs.
    """

    cell: PlannedCell
    lease: str = ""
    needs: tuple[PlannedCell, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    """The worker is there, and has begun with its cell."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """What stopped a worker that is no cell's fault; errors themselves cannot all be pickled."""

    kind: Literal["storage", "fixable", "bug"]
    text: str


class WorkerProcess:
    """A process that runs cells.

    Args:
        start: makes what runs the cells there; it is pickled.
        environment: what the process has in its environment beside what this one has, from before
            it imports anything: a library reads such variables once.
    """

    def __init__(self, start: Start, environment: Mapping[str, str]) -> None:
        # Forked children of a process that has run torch threads may hang; spawned ones do not.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(start, theirs))
        with changed_environment(environment), _interrupts_blocked():
            self._process.start()
        # Held here too, the other end would never be closed by the end of the worker.
        theirs.close()
        self.is_ready = False

    @property
    def connection(self) -> Connection:
        """What can be waited for: there is something to hear, or the worker has ended."""
        return self._connection

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_alive()

    def give(self, given: Given) -> None:
        """Have the worker run a cell; it runs no other. If it has ended, ``hear`` will say so."""
        with suppress(OSError):
            self._connection.send(given)

    def hear(self, report: Report) -> Outcome | Loss | None:
        """How the worker's cell has ended; None while it has not.

        Args:
            report: called with the progress that the worker has sent.

        Raises:
            ObjbenchError: the worker met what stops the whole study, such as a full disk.
        """
        while True:
            is_alive = self.is_alive  # Asked first: what it said before its end is still heard.
            try:
                if not self._connection.poll():
                    return None if is_alive else loss_by_exit(self._process.exitcode)
                said = self._connection.recv()
            except (EOFError, OSError):
                self._process.join(_LAST_WORDS)
                self.kill()
                return loss_by_exit(self._process.exitcode)
            if isinstance(said, _Ready):
                self.is_ready = True
            elif isinstance(said, _Fault):
                _raise(said)
            elif isinstance(said, Outcome | Loss):
                return said
            else:
                report(*said)

    def close(self) -> None:
        """Let the process end once it has nothing to do."""
        self._connection.close()

    def interrupt(self) -> None:
        """Ask the process to end; one that trains keeps the state of its last step first."""
        self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process; returns whether it has ended."""
        self._process.join(max(0.0, seconds))
        return not self.is_alive

    def kill(self) -> None:
        """End the process at once."""
        if self.is_alive:
            self._process.kill()
            self._process.join()


def _raise(fault: _Fault) -> None:
    if fault.kind == "storage":
        raise StorageError(fault.text)
    if fault.kind == "fixable":
        raise ObjbenchError(fault.text)
    raise RuntimeError(f"in a worker process:\n{fault.text}")


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block interrupts in the body, so that a process begun there is not stopped while Python starts.

    None is lost: here it is delivered after the body, there it is ignored.
    """
    # Begun in the body, the tracker would unblock it.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)


def _serve(start: Start, connection: Connection) -> None:
    """Run the cells that come through ``connection`` until it is closed."""
    # They reach the whole group: the supervisor decides, and asks for an end by SIGTERM.
    for number in _BLOCKED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    fault = None
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        _run_cells(start, connection)
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + signal.SIGTERM)
    except StorageError as error:
        fault = _Fault("storage", str(error))
    except ObjbenchError as error:
        fault = _Fault("fixable", str(error))
    except Exception:  # noqa: BLE001 - raised again by the supervisor
        fault = _Fault("bug", traceback.format_exc())
    if fault is not None:
        with suppress(OSError):
            connection.send(fault)


def _run_cells(start: Start, connection: Connection) -> None:
    runner = start(lambda *event: connection.send(event))
    # Libraries stay to the end: no search for garbage after a cell need look through them.
    gc.freeze()
    connection.send(_Ready())
    while True:
        try:
            given = connection.recv()
        except EOFError:
            return
        try:
            connection.send(runner(given))
        except LeaseLost as error:
            connection.send(Loss("fenced", str(error)))
            return


def _end_with_parent() -> None:
    """End this worker when its parent is gone, however that was killed.

    The run folder's lock goes with the parent: a worker that outlived it would write into a
    folder that the next run believes to be its own.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)
