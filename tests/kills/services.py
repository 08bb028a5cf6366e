"""What an executor needs beside objbench's own processes, begun once for all of its rounds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.managers import BaseManager
from pathlib import Path

import psutil
import pytest
from crews import LEASE, Crew, Place

sys.path.insert(0, str(Path(__file__).parents[1] / "objbench"))

from object_server import object_server
from ray_head import needs, ray_head

from objbench.results.object_store import ObjectStore
from objbench.results.store import Store
from objbench.runs.executors.leases import Leases

MARK = "OBJBENCH_CAMPAIGN"
"""In the environment of everything that a campaign starts: its process number."""


class Missing(Exception):
    """Something that an executor needs is not installed."""


@dataclass(frozen=True)
class Service:
    """What there is for a crew.

    Attributes:
        flags: of ``objbench run``, beside those of the crew.
        bucket: URL of a bucket; "" for runs in folders.
        stores: (URL) -> what the campaign sees of a run there.
    """

    flags: tuple[str, ...] = ()
    bucket: str = ""
    stores: Callable[[str], Store] = ObjectStore

    def place(self, place: Place, name: str) -> Place:
        """The place of a run called ``name``, beside ``place``."""
        run = place.run.with_name(name)
        if not self.bucket:
            return replace(place, run=run)
        url = f"{self.bucket}/{name}"
        return replace(place, run=run, url=url, there=self.stores(url))


class _Elsewhere(BaseManager):
    """Stores in a process of their own: with the threads of their client none could be forked any more."""


_Elsewhere.register("ObjectStore", ObjectStore)


@contextmanager
def service(crew: Crew, patch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Begin what a crew needs; it ends with the body.

    Raises:
        Missing: it is not installed.
    """
    try:
        if crew.needs == "ray":
            with ray_head(patch) as address:
                yield Service(flags=("--address", address))
        elif crew.needs == "s3":
            with object_server(patch) as url, _Elsewhere() as elsewhere:
                yield Service(bucket=url, stores=elsewhere.ObjectStore)
        else:
            if crew.needs == "slurm":
                needs("submitit")
            yield Service()
    except pytest.skip.Exception as reason:
        raise Missing(str(reason)) from None


def heartbeats(place: Place) -> list[int]:
    """The processes on a cluster that have cells of a run."""
    owners = {lease.owner for lease in Leases(place.store, LEASE).held()}
    found = [int(owner.partition(":")[2].partition("/")[0]) for owner in sorted(owners)]
    # A number may be another process's by now.
    return [pid for pid in found if _is_ours(pid)]


def workers(place: Place) -> list[int]:
    """Those that run the cells for them."""
    found = []
    for pid in heartbeats(place):
        try:
            children = psutil.Process(pid).children()
            found += [one.pid for one in children if "spawn_main" in "".join(one.cmdline())]
        except psutil.Error:
            continue  # It has ended just now.
    return found


def jobs(place: Place) -> list[int]:
    """The jobs of a run, which outlive the command that has submitted them."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if any(word.startswith(f"{place.run}/slurm/") for word in words) and _is_ours(process.pid):
            found.append(process.pid)
    return found


def _is_ours(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        has_mark = process.environ().get(MARK) == os.environ[MARK]
        return has_mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
