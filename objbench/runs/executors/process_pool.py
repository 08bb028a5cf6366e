"""Cells side by side in several processes of this machine, each with its share of the cores.

That suits many small cells on a CPU, where one cell cannot keep all cores busy.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from typing import Any

from objbench.errors import ObjbenchError
from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import Status
from objbench.runs.cells.cell_runner import CellRunner, Outcome
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.executors.executor import Ended, succeeded
from objbench.runs.executors.worker import WorkerSettings, start_worker, worker_settings
from objbench.runs.progress import Display


@dataclass(frozen=True, slots=True)
class ProcessPool:
    """Runs ``jobs`` cells at a time, each as soon as what it needs is there."""

    jobs: int

    @property
    def threads(self) -> int:
        """The threads of each cell: its share of this machine's cores."""
        return max(1, (os.cpu_count() or 1) // self.jobs)

    def run(
        self,
        prepared: PreparedStudy,
        plan: Plan,
        finished: Mapping[str, Status],
        ended: Ended,
    ) -> None:
        """Run the cells.

        Raises:
            ObjbenchError: a worker process was killed.
        """
        waiting = _Queue(plan.cells, finished)
        # Forked children of a process that has run torch threads may hang; spawned ones do not.
        context = multiprocessing.get_context("spawn")
        events = context.Queue()
        start = (worker_settings(prepared), self.threads, events)
        pool = ProcessPoolExecutor(
            self.jobs, mp_context=context, initializer=_start, initargs=start
        )
        running: dict[Future[Outcome], str] = {}
        try:
            while True:
                while len(running) < self.jobs and (cell := waiting.next()) is not None:
                    running[pool.submit(_work, cell)] = cell.id
                if not running:
                    break
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                _show(events, prepared.display, {*running.values()})
                for future in done:
                    outcome = future.result()
                    del running[future]
                    waiting.end(outcome)
                    ended(outcome)
        except BrokenProcessPool as error:
            raise ObjbenchError(
                "a worker process was killed (out of memory?); what was finished is kept: "
                "run the same command again to continue, with fewer --jobs if memory is short"
            ) from error
        finally:
            # On an interrupt the workers are ended too; their checkpoints are what is kept.
            pool.shutdown(wait=not running, cancel_futures=True)
            for process in multiprocessing.active_children():
                if running:
                    process.terminate()


class _Queue:
    """The cells still to run, given out as soon as what they need is there."""

    def __init__(self, cells: Sequence[PlannedCell], finished: Mapping[str, Status]) -> None:
        self._waiting = [cell for cell in cells if cell.id not in finished]
        self._succeeded = succeeded(finished)

    def next(self) -> PlannedCell | None:
        """The first waiting cell all of whose needs have succeeded, if there is one."""
        for index, cell in enumerate(self._waiting):
            if self._succeeded.issuperset(cell.needs):
                return self._waiting.pop(index)
        return None

    def end(self, outcome: Outcome) -> None:
        """Note an outcome; what needs a cell that did not succeed is never given out."""
        if outcome.status == "ok":
            self._succeeded.add(outcome.id)


_worker: CellRunner | None = None


def _start(settings: WorkerSettings, threads: int, events: Any) -> None:
    global _worker
    import torch

    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _worker = start_worker(settings, lambda *event: events.put(event))
    # Libraries stay to the end: no search for garbage after a cell need look through them.
    gc.freeze()


def _end_with_parent() -> None:
    """End this worker when its parent is gone, however that was killed.

    The run folder's lock goes with the parent: a worker that outlived it would write into a
    folder that the next run believes to be its own.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)


def _work(cell: PlannedCell) -> Outcome:
    if _worker is None:
        raise RuntimeError("the worker has not been started")
    return _worker(cell)


def _show(events: Any, display: Display, running: Collection[str]) -> None:
    """Show the progress of running cells; what arrives late would revive one that has ended."""
    with suppress(queue.Empty):
        while True:
            cell, *progress = events.get_nowait()
            if cell in running:
                display.update(cell, *progress)
