"""Workers as an array of Slurm jobs, submitted by submitit.

A worker that is told by SIGUSR2 that its time is almost up, or that it is preempted, gives its cells
back and is queued again. Workers outlive a run that is killed and go on with its cells; the same
command finds their records, and starts workers beside them.
"""

from __future__ import annotations

import importlib
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.errors import ConfigError, first_line
from objbench.results.own_files import require_own
from objbench.runs.starters.sbatch_options import MINUTES
from objbench.runs.starters.started_workers import Share, WorkerEnd
from objbench.runs.starters.worker_call import WorkerCall

_LEAD = 90
"""Seconds between SIGUSR2 and the end of the time."""
_REQUEUES = 10_000


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A worker that can be queued again.

    Attributes:
        call: the worker.
    """

    call: WorkerCall

    def __call__(self) -> str:
        """Work; returns as ``WorkerCall``."""
        try:
            return self.call()
        except KeyboardInterrupt as interrupt:
            if interrupt.args == (signal.SIGUSR2,):
                # The cells are given back. submitit's handler, which is in its place again, asks for
                # ``checkpoint``, queues the job again and ends the process.
                signal.raise_signal(signal.SIGUSR2)
            raise

    def checkpoint(self) -> Any:
        """What is run when the job's turn comes again: the same."""
        return importlib.import_module("submitit.helpers").DelayedSubmission(self)

    __submitit_checkpoint__ = checkpoint


class SlurmJobs:
    """A Slurm cluster.

    Args:
        options: of sbatch, by their long names.
        workers: how many; when None, one per cell that trains or tokenises.
        cluster: the kind of submitit's executor; "local" stands for Slurm in tests.
    """

    name = "slurm"

    def __init__(
        self, options: Mapping[str, str | bool], workers: int | None, cluster: str = "slurm"
    ) -> None:
        self._options, self._workers, self._cluster = dict(options), workers, cluster

    def open(self) -> None:
        """Nothing is connected; a ConfigError where there is no Slurm."""
        submitit = importlib.import_module("submitit")
        if self._cluster == "slurm" and submitit.SlurmExecutor.affinity() < 0:
            raise ConfigError(
                "--executor slurm: there is no srun here; run the command on a machine from which "
                "jobs are submitted"
            )

    def share(self, at_once: int) -> Share:
        """One worker per long cell, each with the cores of its job."""
        return Share(self._workers or max(1, at_once), self._cores)

    @property
    def _cores(self) -> int | None:
        """The cores of a job where they are known; with GPUs, Slurm's defaults say how many."""
        if "cpus-per-task" in self._options:
            return int(self._options["cpus-per-task"])
        has_gpus = any(name == "gres" or "gpu" in name for name in self._options)
        return None if has_gpus else 1

    def start(self, calls: Sequence[WorkerCall], folder: Path) -> list[Any]:
        """Submit the workers as one array."""
        submitit = importlib.import_module("submitit")
        jobs = require_own(folder, "slurm")
        jobs.mkdir(exist_ok=True)
        # What submitit writes is unpickled again: nobody else has written in a new folder.
        own = tempfile.mkdtemp(prefix="workers-", dir=jobs)
        executor = submitit.AutoExecutor(
            folder=own, cluster=self._cluster, slurm_max_num_timeout=_REQUEUES
        )
        rest = {name: value for name, value in self._options.items() if name != "time"}
        if self._cores is not None:
            rest["cpus-per-task"] = str(self._cores)
        executor.update_parameters(
            name="objbench-work",
            timeout_min=int(self._options.get("time", MINUTES)),
            slurm_signal_delay_s=_LEAD,
            slurm_additional_parameters=rest,
        )
        try:
            with executor.batch():
                return [executor.submit(QueuedCall(call)) for call in calls]
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"--executor slurm: {first_line(error)}") from error

    def ended(self, worker: Any) -> WorkerEnd | None:
        """How a job has ended."""
        if not worker.done():
            return None
        try:
            return WorkerEnd(refusal=worker.result())
        except RuntimeError as error:
            return WorkerEnd(loss=f"{first_line(error)} (see {worker.paths.stderr})")

    def cancel(self, workers: Sequence[Any]) -> None:
        """Cancel jobs: Slurm sends SIGTERM, upon which they give their cells back."""
        for worker in workers:
            worker.cancel(check=False)

    def close(self) -> None:
        """Nothing is connected."""
