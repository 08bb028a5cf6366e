"""What a cluster is asked to run: ``objbench work`` as a call that can be sent to another process."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from objbench.errors import ObjbenchError, one_line
from objbench.results.object_store import ObjectStore
from objbench.results.usable_store import open_object_store


@dataclass(frozen=True, slots=True)
class WorkerCall:
    """A worker of one study.

    On a CPU it runs one cell at a time, on GPUs one per GPU that it sees.

    Attributes:
        name: no other worker has it.
        run: the run folder.
        where: the folder in which the study was started; its relative paths begin there.
        cache: folder for what can be made again: tokenised text, task data.
        device: torch device string; None for what is there.
        threads: of each cell; None for an equal share of the cores that this process may use.
        cell_timeout: seconds after which a cell is ended; None for no limit.
        stale: seconds after which the cell of a worker that is not heard of is taken over.
        store: the object store that the run is kept in, where it is; ``run`` is then the worker's own
            copy of what has to be files.
    """

    name: str
    run: Path
    where: Path
    cache: Path
    device: str | None
    threads: int | None
    cell_timeout: float | None
    stale: float
    store: ObjectStore | None = None

    def __call__(self) -> str:
        """Work until no cell is left; returns why the study cannot be worked on here, or "".

        Raises:
            KeyboardInterrupt: there was an interrupt, whose signal it has; the cells were given back.
        """
        # It decides which GPU it sees before torch is imported.
        from objbench.engine.training.devices import default_device
        from objbench.runs.work import work

        try:
            if not self.where.is_dir():
                return (
                    f"{socket.gethostname()} has no folder {self.where}, where the run was started"
                )
            os.chdir(self.where)
            if self.store is not None:
                # A cluster's processes need not have the keys of whoever started the run.
                open_object_store(self.store.url)
            device = self.device or default_device()
            work(
                self.run,
                store=self.store,
                cache=self.cache,
                jobs=None if device.startswith("cuda") else 1,
                device=device,
                cell_timeout=self.cell_timeout,
                threads=self.threads,
                stale=self.stale,
                name=self.name,
            )
        except ObjbenchError as error:
            return f"{socket.gethostname()}: {one_line(error)}"
        return ""
