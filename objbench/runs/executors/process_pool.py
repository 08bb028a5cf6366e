"""Cells side by side in several processes of this machine, one process per slot.

On a CPU a slot is a share of the cores, which suits many small cells that cannot keep all cores
busy. On a machine with GPUs a slot is a GPU, which its process sees as the only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from objbench.results.fence import fenced
from objbench.results.plan import Plan
from objbench.results.records import Status
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.outcome import Ended, Outcome
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.run_context import RunContext
from objbench.runs.executors.leases import Leases, lease_name
from objbench.runs.executors.planned_cells import PlannedCells
from objbench.runs.executors.supervision import Cells, Supervision
from objbench.runs.executors.worker import WorkerSettings, start_worker, worker_settings
from objbench.runs.executors.worker_process import Given, Runner
from objbench.runs.processes import cores
from objbench.runs.progress import Report

GPU = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class ProcessPool:
    """Runs ``jobs`` cells at a time, each as soon as what it needs is there.

    Attributes:
        jobs: the slots.
        gpus: the GPU of each slot, as ``CUDA_VISIBLE_DEVICES`` names it; none on a CPU.
        share: the threads of each slot; an equal share of this machine's cores when None.
    """

    jobs: int
    gpus: tuple[str, ...] = ()
    share: int | None = None

    @property
    def is_here(self) -> bool:
        """It is."""
        return True

    @property
    def threads(self) -> int:
        """The threads of each cell."""
        return self.share or max(1, cores() // self.jobs)

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
        context = RunContext(prepared, plan, prepared.display.update)
        cells = PlannedCells(
            plan.cells,
            finished,
            prepared.folder,
            refuse=lambda *refused: CellRunner(context).refuse(*refused),
            leave=prepared.display.leave,
            ended=ended,
            shares_memory=not self.gpus,
        )
        self.supervise(context, cells)

    def supervise(self, context: RunContext, cells: Cells) -> None:
        """Run ``cells`` of a planned study; raises as ``run``."""
        _free_gpu_memory()
        prepared = context.prepared
        settings = worker_settings(prepared, context.plan)
        slots: list[dict[str, str]] = [{} for _ in range(self.jobs)]
        if self.gpus:
            slots = [{GPU: gpu} for gpu in self.gpus[: self.jobs]]
            if settings.device.startswith("cuda"):
                settings = replace(settings, device="cuda")  # The only one that the process sees.
        supervision = Supervision(
            slots,
            partial(_start, settings, self.threads),
            context.report,
            cell_timeout=prepared.cell_timeout,
            fresh_after_failure=bool(self.gpus),
        )
        supervision.run(cells)


def _start(settings: WorkerSettings, threads: int, report: Report) -> Runner:
    """In a worker process: what runs its cells."""
    import torch

    torch.set_num_threads(threads)
    runner, leases = start_worker(settings, report), Leases(settings.folder.store)

    def run(given: Given) -> Outcome:
        if not given.lease:
            return runner(given.cell, given.needs)
        with fenced(partial(leases.renew, lease_name(given.cell), given.lease)):
            return runner(given.cell, given.needs)

    return run


def _free_gpu_memory() -> None:
    """Leave the memory that this process has used to measure steps to those that train."""
    import torch

    torch.cuda.empty_cache()
