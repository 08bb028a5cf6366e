"""The executors, each as the processes that are kept alive by whoever runs a study with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.remote_run import scratch_folder
from objbench.results.store import Store

DRIVER, HEARTBEAT, WORKER = "driver", "heartbeat", "worker"
"""What plans and waits; what renews the leases of a worker; what trains."""

LEASE = 8.0
"""Seconds of a lease here, so that one can be lost within a round."""


@dataclass(frozen=True)
class Place:
    """Where a round is.

    Attributes:
        study: the study file.
        run: its run folder; of a run in an object store, what is fetched from there in the end.
        cache: of tokens.
        url: of the run in an object store; "" where it is a folder.
        there: that store.
    """

    study: Path
    run: Path
    cache: Path
    url: str = ""
    there: Store | None = None

    @property
    def store(self) -> Store:
        """Where the run is."""
        return self.there or LocalStore(self.run)

    def fetch(self) -> None:
        """Have everything of the run in its folder; logs stay on the machine that trained."""
        if self.there:
            here = LocalStore(self.run)
            for name in self.there.list(""):
                # An encoder's files are below its digest there.
                here.write(re.sub(r"/[0-9a-f]{64}/", "/", name), self.there.read(name))
            for path in (scratch_folder(ObjectStore(self.url), self.cache) / "logs").iterdir():
                here.write(f"logs/{path.name}", path.read_bytes())

    def driver(self, *more: str) -> list[str]:
        """The words of ``objbench run``."""
        words = ["run", "--config", str(self.study), "--out", self.url or str(self.run)]
        return [*words, "--cache", str(self.cache), "--device", "cpu", *more]

    def worker(self) -> list[str]:
        """The words of ``objbench work``, whose cells have the threads of all others."""
        words = ["work", "--run", self.url or str(self.run), "--cache", str(self.cache)]
        return [*words, "--device", "cpu", "--jobs", "1", "--threads", "1"]


@dataclass(frozen=True)
class Crew:
    """One executor.

    Attributes:
        name: as the table calls it.
        flags: of ``objbench run``.
        victims: which of its processes are disturbed.
        workers: how many ``objbench work`` are started beside it.
        is_driven: whether ``objbench run`` stays; otherwise it is killed once the study is planned,
            and comes back when all is done.
        needs: "ray", "slurm" or "s3", what has to be there for it, see ``services``; "" for nothing.
    """

    name: str
    flags: tuple[str, ...]
    victims: tuple[str, ...]
    workers: int = 0
    is_driven: bool = True
    needs: str = ""

    @property
    def is_cluster(self) -> bool:
        """Whether ``objbench run`` starts its workers on a cluster, and replaces them itself."""
        return self.needs in ("ray", "slurm")

    @property
    def has_leases(self) -> bool:
        """Whether cells are leased."""
        return self.workers > 0 or self.is_cluster

    def members(self, place: Place, *more: str) -> Mapping[str, list[str]]:
        """The name of each process that is kept alive -> its words, in the order of their start."""
        driver = {DRIVER: place.driver(*self.flags, *more)} if self.is_driven else {}
        return driver | {f"{HEARTBEAT} {n}": place.worker() for n in range(1, self.workers + 1)}


_PULLED = ("--executor", "workers")
_ALL = (DRIVER, HEARTBEAT, WORKER)

# Another executor is one more line.
CREWS = (
    Crew("in process", ("--jobs", "1"), (DRIVER,)),
    Crew("--jobs 2", ("--jobs", "2"), (DRIVER, WORKER)),
    Crew("--executor workers", _PULLED, _ALL, workers=1),
    Crew("two objbench work", _PULLED, (HEARTBEAT, WORKER), workers=2, is_driven=False),
    Crew("two on S3", _PULLED, _ALL, workers=2, needs="s3"),
    Crew("--executor ray", ("--executor", "ray", "--workers", "2"), _ALL, needs="ray"),
    Crew("--executor slurm", ("--executor", "slurm", "--workers", "2"), _ALL, needs="slurm"),
)
