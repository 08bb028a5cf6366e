"""Leaves the cells to workers that are started elsewhere, and waits for their records.

A worker is ``objbench work --run FOLDER``, started by hand, by a cluster or by anything, any number
of times and at any time, on any machine that has the run folder. A crew is started by the run itself.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from objbench import __version__
from objbench.engine import ENGINE_VERSION
from objbench.plugins.source_digest import source_digest
from objbench.results.plan import Plan
from objbench.results.provenance import device_name
from objbench.results.records import Status
from objbench.results.worker_terms import WorkerTerms
from objbench.runs.cells.outcome import Ended, outcome_of
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.cells.step_costs import is_timed
from objbench.runs.executors.crew import Crew
from objbench.runs.executors.leases import Leases, lease_name
from objbench.runs.executors.ready_cells import ReadyCells
from objbench.runs.executors.recorded_cells import RecordedCells

_LONG = ("pretrain", "trial", "tokens")
"""The kinds of cells that take most of a round, and that all can run at once."""


@dataclass(frozen=True, slots=True)
class PullWorkers:
    """Waits until workers have run the cells.

    Attributes:
        look: seconds between two looks at the records.
        threads: that a cell is expected to have, with which steps are measured here.
        crew: the workers that are started from here; None where others start them.
    """

    look: float = 2.0
    crew: Crew | None = None
    threads: int | None = None

    @property
    def jobs(self) -> int:
        """How many there will be at a time is not known; the leases show it."""
        return 1

    @property
    def is_here(self) -> bool:
        """It is not."""
        return False

    def run(
        self,
        prepared: PreparedStudy,
        plan: Plan,
        finished: Mapping[str, Status],
        ended: Ended,
    ) -> None:
        """Wait for every cell that can be run. What failed in an earlier run is left to be run again."""
        folder = prepared.folder
        folder.set_failures_aside(one for one in plan.cells if one.id not in finished)
        folder.write_worker_terms(worker_terms(prepared))
        ready, recorded = (
            ReadyCells(plan.cells, finished),
            RecordedCells(folder, plan.cells, finished),
        )
        waiting = set(_given(ready))
        leases, heard = Leases(folder.store), time.monotonic()
        start = f"start objbench work --run {folder}"
        leased = {lease_name(cell): cell.id for cell in plan.cells if cell.id not in finished}
        if waiting and self.crew:
            self.crew.start(prepared, sum(cell.kind in _LONG for cell in plan.cells))
        elif waiting:
            prepared.display.say(f"waiting for workers: {start}")
        while waiting:
            found = [*recorded.new()]
            for cell, record in found:
                waiting.discard(cell.id)
                ready.end(cell.id, record.status)
                ended(outcome_of(record))
            # Of what was waited for and what waited for that, both records may have come since.
            waiting |= {cell for cell in _given(ready) if recorded.is_left(cell)}
            for name in leases.names() if waiting else ():
                if (under_way := leased.get(name)) in waiting:
                    prepared.display.begin(under_way)
            now = time.monotonic()
            heard = now if found else heard
            if waiting and self.crew:
                self.crew.keep(bool(found))
            elif waiting and now - heard >= leases.stale:
                heard = now
                # One that was killed is no longer among them by now.
                if next(leases.held(), None) is None:
                    prepared.display.say(f"no worker has a cell of {folder} by now: {start}")
            if waiting:
                time.sleep(self.look)


def worker_terms(prepared: PreparedStudy) -> WorkerTerms:
    """What this process has of what a worker must have."""
    plugins = prepared.plugins
    kinds = {name: kind for name, (kind, _) in plugins.objectives.items()}
    scored = {name: type(suite) for name, suite in {**plugins.suites, **plugins.curves}.items()}
    return WorkerTerms(
        engine_version=ENGINE_VERSION,
        objbench=__version__,
        sources={name: source_digest(kind) for name, kind in {**kinds, **scored}.items()},
        device=device_name(prepared.device) if is_timed(prepared.study) else "",
    )


def _given(ready: ReadyCells) -> list[str]:
    """The ids of all cells that can be run by now."""
    found = []
    while (cell := ready.next()) is not None:
        found.append(cell.id)
    return found
