"""Cells side by side in several processes of this machine, one process per slot.

On a CPU a slot is a share of the cores, which suits many small cells that cannot keep all cores
busy. On a machine with GPUs a slot is a GPU, which its process sees as the only one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import Status
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.outcome import Outcome
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.run_context import RunContext
from objbench.runs.executors.attempts import Attempts, Loss
from objbench.runs.executors.executor import Ended
from objbench.runs.executors.ready_cells import ReadyCells
from objbench.runs.executors.supervision import Supervision
from objbench.runs.executors.worker import WorkerSettings, start_worker, worker_settings
from objbench.runs.executors.worker_process import Runner
from objbench.runs.progress import Report

GPU = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class ProcessPool:
    """Runs ``jobs`` cells at a time, each as soon as what it needs is there.

    Attributes:
        jobs: the slots.
        gpus: the GPU of each slot, as ``CUDA_VISIBLE_DEVICES`` names it; none on a CPU.
    """

    jobs: int
    gpus: tuple[str, ...] = ()

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
            ObjbenchError: the study cannot go on, as when no worker process can begin.
        """
        _free_gpu_memory()
        settings = worker_settings(prepared)
        slots: list[dict[str, str]] = [{} for _ in range(self.jobs)]
        if self.gpus:
            slots = [{GPU: gpu} for gpu in self.gpus[: self.jobs]]
            if settings.device.startswith("cuda"):
                settings = replace(settings, device="cuda")  # The only one that the process sees.
        supervision = Supervision(
            slots,
            partial(_start, settings, self.threads),
            prepared.display.update,
            cell_timeout=prepared.cell_timeout,
            fresh_after_failure=bool(self.gpus),
        )
        supervision.run(_PlannedCells(prepared, plan, finished, ended, not self.gpus))


class _PlannedCells:
    """The cells of a plan, for one supervisor that runs all of them."""

    def __init__(
        self,
        prepared: PreparedStudy,
        plan: Plan,
        finished: Mapping[str, Status],
        ended: Ended,
        shares_memory: bool,
    ) -> None:
        self._prepared = prepared
        self._plan = plan
        self._ended = ended
        self._ready = ReadyCells(plan.cells, finished)
        self._attempts = Attempts(shares_memory)

    @property
    def has_more(self) -> bool:
        return self._ready.has_more

    def next(self, running: int) -> PlannedCell | None:
        return self._ready.next(running)

    def end(self, cell: PlannedCell, outcome: Outcome) -> None:
        if outcome.out_of_memory and self._is_attempted_again(cell, Loss("memory", outcome.text)):
            return
        self._ready.end(cell.id, outcome.status)
        self._ended(outcome)

    def lose(self, cell: PlannedCell, loss: Loss) -> None:
        # It may have stored its record, and died before it could say so.
        record = self._prepared.folder.read_record(cell)
        if record is not None and record.status != "failed":
            self.end(cell, Outcome(cell.id, record.status, "done, and its process lost afterwards"))
        elif not self._is_attempted_again(cell, loss):
            runner = CellRunner(
                RunContext(self._prepared, self._plan, self._prepared.display.update)
            )
            self.end(cell, runner.refuse(cell, self._attempts.reason(cell.id, loss)))

    def _is_attempted_again(self, cell: PlannedCell, loss: Loss) -> bool:
        again = self._attempts.again(cell.id, loss)
        if again is None:
            return False
        alone = " when no other cell runs" if again.alone else ""
        self._prepared.display.say(
            f"{cell.id}: {loss.words}; attempt {again.number} follows{alone}"
        )
        self._ready.again(cell.id, again.delay, alone=again.alone)
        return True


def _start(settings: WorkerSettings, threads: int, report: Report) -> Runner:
    """In a worker process: what runs its cells."""
    import torch

    torch.set_num_threads(threads)
    return start_worker(settings, report)


def _free_gpu_memory() -> None:
    """Leave the memory that this process has used to measure steps to those that train."""
    import torch

    torch.cuda.empty_cache()
