"""Commands of objbench in processes of their own, which begin at once and can be hurt.

They are forked from one that has imported everything, and so are the workers that they start, unless
these are to be spawned as they are outside of here: a round then takes seconds and not minutes.
"""

from __future__ import annotations

import multiprocessing.process
import multiprocessing.util
import os
import signal
import sys
import time
import traceback
from functools import partialmethod
from multiprocessing import forkserver, get_context
from pathlib import Path

from crews import LEASE

_LOOK = 0.05
_STOPS = (signal.SIGINT, signal.SIGTERM)


def begin(*, spawned: bool) -> None:
    """Import everything once.

    Args:
        spawned: whether workers are Python started anew, as outside of here.
    """
    import preloaded  # noqa: F401

    if not spawned:
        forkserver.set_forkserver_preload(["preloaded"])
        forkserver.ensure_running()


class Command:
    """One command, running or ended.

    Args:
        words: after ``objbench``.
        log: file that gets what it prints.
    """

    def __init__(self, words: list[str], log: Path) -> None:
        self.code: int | None = None
        self._workers = log.with_suffix(f".workers-{time.monotonic_ns()}")
        log.touch()
        # Until it can be interrupted as objbench can, so that no moment is too early for a blow.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        self.pid = os.fork()
        if not self.pid:
            _become(words, log, self._workers)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended; ``code`` is then known, minus the signal that ended it."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def wait(self) -> int:
        """The exit code, once it has ended."""
        while self.is_alive:
            time.sleep(_LOOK)
        assert self.code is not None
        return self.code

    def workers(self) -> list[int]:
        """The processes that run its cells and have not ended."""
        if not self._workers.exists():
            return []
        noted = [line.split() for line in self._workers.read_text().splitlines()]
        # A number may be another process's by now.
        return [int(pid) for pid, began in noted if began_at(int(pid)) == began]

    def end(self) -> None:
        """End it and what it has spawned at once."""
        for pid in [*self.workers(), *([self.pid] if self.is_alive else [])]:
            send(pid, signal.SIGKILL)
        self.wait()
        self._workers.unlink(missing_ok=True)


def send(pid: int, number: int) -> bool:
    """Send a signal; whether there still was such a process."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def began_at(pid: int | None) -> str:
    """When a process began, as Linux tells; "" for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def wait_until_gone(pid: int, began: str) -> None:
    """Wait for the end of the process that began at that time."""
    while began and began_at(pid) == began:
        time.sleep(_LOOK)


def _become(words: list[str], log: Path, workers: Path) -> None:
    code = 1
    for number in _STOPS:  # Before objbench has handlers of its own nothing is lost.
        signal.signal(number, lambda *_: os._exit(128 + signal.SIGINT))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    try:
        os.setpgid(0, 0)  # Ctrl-C is for the campaign, which then ends all of them.
        multiprocessing.process._children.clear()  # type: ignore[attr-defined]  # They are its own.
        nothing, said = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_APPEND | os.O_WRONLY)
        for number, end in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(number, end)
        _short_leases()
        _submit_here()
        _tell_workers(workers)
        if forkserver._forkserver._forkserver_alive_fd is not None:
            _fork_workers()
        from objbench.cli.main import main

        sys.argv = ["objbench", *words]
        code = main()
        multiprocessing.util._exit_function()  # type: ignore[attr-defined]
    except BaseException:  # noqa: BLE001 - this process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _short_leases() -> None:
    from objbench.runs.starters.started_workers import StartedWorkers
    from objbench.runs.work import work

    work.__kwdefaults__["stale"] = LEASE
    StartedWorkers.__init__ = partialmethod(StartedWorkers.__init__, stale=LEASE)  # type: ignore[assignment, method-assign]


def _submit_here() -> None:
    """Put submitit's executor for this machine in the place of Slurm."""
    from objbench.runs.starters.slurm_jobs import SlurmJobs

    SlurmJobs.__init__ = partialmethod(SlurmJobs.__init__, cluster="local")  # type: ignore[assignment, method-assign]


def _tell_workers(path: Path) -> None:
    """Have the process of every worker that is started noted in a file."""
    from objbench.runs.executors.worker_process import WorkerProcess

    start = WorkerProcess.__init__

    def noted(self: WorkerProcess, *given: object) -> None:
        start(self, *given)  # type: ignore[arg-type]
        with path.open("a") as file:
            file.write(f"{self._process.pid} {began_at(self._process.pid)}\n")

    WorkerProcess.__init__ = noted  # type: ignore[assignment, method-assign]


def _fork_workers() -> None:
    """Have workers forked from the server that the campaign has started."""
    forkserver._forkserver.ensure_running = lambda: None  # It is no child of this process.
    context = get_context("forkserver")
    multiprocessing.get_context = lambda _: context  # type: ignore[assignment]
