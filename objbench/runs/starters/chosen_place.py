"""Where cells run, from the flags of ``objbench run``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.errors import ConfigError
from objbench.runs.executors.place import Place
from objbench.runs.starters.ray_cluster import RayCluster
from objbench.runs.starters.slurm_jobs import SlurmJobs
from objbench.runs.starters.started_workers import StartedWorkers, require_package


def chosen_place(
    name: str,
    *,
    workers: int | None,
    address: str | None,
    sbatch: Sequence[tuple[str, str | bool]],
    device: str | None,
) -> Place:
    """The place called ``name``, one of ``EXECUTORS``.

    Args:
        workers: how many are started; None for as many as fit.
        address: of a Ray cluster.
        sbatch: options of Slurm's sbatch.
        device: torch device string that the user named; None for what is there.

    Raises:
        ConfigError: a flag is of another executor, or a package is not installed.
    """
    given = {"--workers": workers, "--address": address, "--sbatch": sbatch}
    takes = {"ray": {"--workers", "--address"}, "slurm": {"--workers", "--sbatch"}}
    _refuse_others(name, given, takes)
    if name == "ray":
        require_package("ray", "ray")
        return Place(name, StartedWorkers(RayCluster(address, workers, device), device))
    if name == "slurm":
        require_package("slurm", "submitit")
        return Place(name, StartedWorkers(SlurmJobs(dict(sbatch), workers), device))
    return Place(name)


def _refuse_others(name: str, given: Mapping[str, object], takes: Mapping[str, set[str]]) -> None:
    for flag, value in given.items():
        if value and flag not in takes.get(name, ()):
            of = " or ".join(executor for executor, flags in takes.items() if flag in flags)
            raise ConfigError(f"{flag} is of --executor {of}, and here it is {name}: leave one out")
