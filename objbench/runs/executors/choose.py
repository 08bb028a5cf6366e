"""Which executor runs a study: the one place that knows them all."""

from __future__ import annotations

import os

from objbench.errors import ConfigError
from objbench.runs.executors.executor import Executor
from objbench.runs.executors.one_process import OneProcess
from objbench.runs.executors.place import HERE, Place
from objbench.runs.executors.process_pool import GPU, ProcessPool
from objbench.runs.executors.pull_workers import PullWorkers
from objbench.runs.processes import cores, processes


def choose_executor(
    jobs: int | None, device: str, pretrainings: int, place: Place = HERE
) -> Executor:
    """The executor of a study.

    Args:
        jobs: cells to run at a time; see ``local_pool``.
        device: torch device string.
        pretrainings: how many pretrainings the study has.
        place: where the cells run.

    Raises:
        ConfigError: several cells at a time are asked for where they would not have a CPU or a GPU
            each, or where others run them.
    """
    if place.name != "local":
        if jobs is not None or processes() > 1:
            raise ConfigError(
                f"--executor {place.name} runs no cell in this process: leave out --jobs, and start "
                "objbench run as one process"
            )
        # Workers that are started by hand fill a machine, others share it as the cells of a pool do.
        alike = local_pool(None, device, cores() if place.crew is None else pretrainings)
        return PullWorkers(crew=place.crew, threads=alike.threads)
    if processes() > 1:
        if jobs is not None and jobs > 1:
            raise ConfigError(
                "--jobs above 1 is for one process, and here several train each cell together: "
                "leave out --jobs, or start objbench without torchrun or accelerate launch"
            )
        return OneProcess()
    pool = local_pool(jobs, device, pretrainings)
    # What a GPU meets with in one cell must not end the others, so there it is another process.
    return pool if pool.jobs > 1 or pool.gpus else OneProcess()


def local_pool(
    jobs: int | None, device: str, pretrainings: int, threads: int | None = None
) -> ProcessPool:
    """The processes of this machine that run cells.

    Args:
        jobs: cells to run at a time; when None, on a CPU as many as there are cores and
            pretrainings, since a small encoder keeps no more than one core busy, and otherwise one
            per GPU.
        device, pretrainings: as for ``choose_executor``.
        threads: of each cell; its share of the cores when None.

    Raises:
        ConfigError: as for ``choose_executor``.
    """
    if device.startswith("cuda"):
        gpus = gpus_of(device)
        if jobs is not None and jobs > len(gpus):
            raise ConfigError(
                f"--jobs {jobs}: a cell has a GPU to itself, and device {device} is "
                f"{len(gpus)} GPU{'s' if len(gpus) != 1 else ''}; leave out --jobs"
            )
        return ProcessPool(jobs or max(1, len(gpus)), gpus, threads)
    if jobs is None:
        jobs = max(1, min(cores(), pretrainings)) if device == "cpu" else 1
    if jobs > 1 and device != "cpu":
        raise ConfigError(f"--jobs above 1 is for CPUs and GPUs, not for {device}; leave it out")
    return ProcessPool(jobs, share=threads)


def gpus_of(device: str) -> tuple[str, ...]:
    """The GPUs that cells may have, each as ``CUDA_VISIBLE_DEVICES`` names it.

    Args:
        device: "cuda" for all that this process sees, or "cuda:N" for one of them.
    """
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(GPU, "").split(",") if name.strip()]
    names = named[:count] or [str(number) for number in range(count)]
    _, _, number = device.partition(":")
    return tuple(names) if not number else tuple(names[int(number) : int(number) + 1])
