"""Running a plan's cells: in their order, each once all it needs is there, one or more at a time.

With one job the cells run in this process. With more, each of several worker processes runs one
cell at a time with its share of the cores; that suits many small cells on a CPU, where one cell
cannot use all cores. Under ``accelerate launch`` all processes pretrain each cell together, and
the other cells are dealt out by rank.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any

from objbench.errors import ObjbenchError
from objbench.plugins.registry import Registry, load_plugins
from objbench.results.plan import PlannedCell
from objbench.results.records import Status
from objbench.results.run_folder import finished_cells
from objbench.runs.cells.cell_runner import CellRunner, Outcome
from objbench.runs.cells.run_context import Report, RunContext
from objbench.runs.processes import processes, rank, wait_for_all
from objbench.runs.progress import Display

_KINDS = ("trial", "trial_evaluation", "pretrain", "evaluation", "curve")


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to run any cell of a study; see ``RunContext``.

    Attributes:
        plugins: names of the plugins the study uses.
    """

    run: Path
    cache: Path
    device: str
    command: str
    plugins: tuple[str, ...]


class _Queue:
    """The cells still to run, given out as soon as what they need is there."""

    def __init__(self, cells: Sequence[PlannedCell], finished: Mapping[str, Status]) -> None:
        self._waiting = [cell for cell in cells if cell.id not in finished]
        self._succeeded = _succeeded(finished)

    def next(self) -> PlannedCell | None:
        """The first waiting cell all of whose needs have succeeded, if there is one."""
        for index, cell in enumerate(self._waiting):
            if self._succeeded.issuperset(cell.needs):
                return self._waiting.pop(index)
        return None

    def end(self, outcome: Outcome) -> None:
        """Take note of an outcome; what needs a cell that did not succeed is never given out."""
        if outcome.status == "ok":
            self._succeeded.add(outcome.id)


def run_cells(
    cells: Sequence[PlannedCell],
    finished: Mapping[str, Status],
    setting: WorkerSettings,
    registry: Registry,
    jobs: int,
    display: Display,
) -> list[Outcome]:
    """Run every cell of ``cells`` that is not ``finished`` and whose needs succeed.

    Args:
        finished: the cells not to run, as ``finished_cells`` finds them.
        registry: the loaded plugins; worker processes load theirs anew.

    Returns:
        the outcomes of the cells that this process ran, in the order in which they ended.
    """
    if jobs > 1:
        return list(_parallel(cells, finished, setting, jobs, display))
    runner = _runner(setting, registry, display.update)
    return list(_kind_by_kind(cells, finished, runner, display))


def threads_of(jobs: int) -> int:
    """The threads of each of ``jobs`` cells that share this machine's cores."""
    return max(1, (os.cpu_count() or 1) // jobs)


def _runner(setting: WorkerSettings, registry: Registry, report: Report) -> CellRunner:
    place = RunContext(
        setting.run, setting.cache, setting.device, setting.command, registry, report
    )
    return CellRunner(place)


def _show(display: Display, outcome: Outcome) -> None:
    mark = "" if outcome.status == "ok" else f"{outcome.status}: "
    display.end(outcome.id, mark + outcome.text)


def _kind_by_kind(
    cells: Sequence[PlannedCell],
    finished: Mapping[str, Status],
    runner: CellRunner,
    display: Display,
) -> Iterator[Outcome]:
    """Run this process's share in the order of the plan, which has one kind after the other.

    What the other processes have finished is read from its records, between the kinds.
    """
    done = _succeeded(finished)
    by_id = {cell.id: cell for cell in cells}
    for kind in _KINDS:
        own = [cell for cell in cells if cell.kind == kind and cell.id not in finished]
        together = kind in ("trial", "pretrain")
        if not together:
            own = own[rank() :: processes()]
        for cell in own:
            if together and cell.needs:
                # A teacher is of the same kind; its encoder and record are the main process's.
                wait_for_all()
                teachers = (by_id[needed] for needed in cell.needs)
                done |= _succeeded(finished_cells(runner.place.run, teachers))
            if not done.issuperset(cell.needs):
                continue
            outcome = runner(cell)
            _show(display, outcome)
            yield outcome
        wait_for_all()
        of_kind = (cell for cell in cells if cell.kind == kind)
        done |= _succeeded(finished_cells(runner.place.run, of_kind))


def _succeeded(finished: Mapping[str, Status]) -> set[str]:
    return {cell for cell, status in finished.items() if status == "ok"}


_worker: CellRunner | None = None


def _start_worker(setting: WorkerSettings, threads: int, events: Any) -> None:
    global _worker
    import torch

    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    registry = load_plugins(only=setting.plugins)
    _worker = _runner(setting, registry, lambda *event: events.put(event))


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


def _parallel(
    cells: Sequence[PlannedCell],
    finished: Mapping[str, Status],
    setting: WorkerSettings,
    jobs: int,
    display: Display,
) -> Iterator[Outcome]:
    waiting = _Queue(cells, finished)
    # Forked children of a process that has run torch threads may hang; spawned ones do not.
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    threads = threads_of(jobs)
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start_worker, initargs=(setting, threads, events)
    )
    running: set[Future[Outcome]] = set()
    try:
        while True:
            while len(running) < jobs and (cell := waiting.next()) is not None:
                running.add(pool.submit(_work, cell))
            if not running:
                break
            ended, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            _drain(events, display)
            for future in ended:
                outcome = future.result()
                waiting.end(outcome)
                _show(display, outcome)
                yield outcome
    except BrokenProcessPool as error:
        raise ObjbenchError(
            "a worker process was killed (out of memory?); what was finished is kept: "
            "run the same command again to go on, with fewer --jobs if memory is short"
        ) from error
    finally:
        # On an interrupt the workers are ended too; their checkpoints are what is kept.
        pool.shutdown(wait=not running, cancel_futures=True)
        for process in multiprocessing.active_children():
            if running:
                process.terminate()


def _drain(events: Any, display: Display) -> None:
    while True:
        try:
            display.update(*events.get_nowait())
        except queue.Empty:
            return
