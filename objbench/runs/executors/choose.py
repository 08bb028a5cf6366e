"""Which executor runs a study: the one place that knows them all."""

from __future__ import annotations

import os

from objbench.errors import ConfigError
from objbench.runs.executors.executor import Executor
from objbench.runs.executors.one_process import OneProcess
from objbench.runs.executors.process_pool import ProcessPool
from objbench.runs.processes import processes


def choose_executor(jobs: int | None, device: str, pretrainings: int) -> Executor:
    """The executor of a study.

    Args:
        jobs: cells to run at a time; when None, on one process with a CPU, as many as there are
            cores and pretrainings: a small encoder keeps no more than one core busy.
        device: torch device string.
        pretrainings: how many pretrainings the study has.

    Raises:
        ConfigError: several cells at a time are asked for where they would not have a CPU each.
    """
    alone_on_cpu = processes() == 1 and device == "cpu"
    if jobs is None:
        jobs = min(os.cpu_count() or 1, pretrainings) if alone_on_cpu else 1
    if jobs > 1 and not alone_on_cpu:
        raise ConfigError("--jobs above 1 is for one process on a CPU; leave it out")
    return ProcessPool(jobs) if jobs > 1 else OneProcess()
