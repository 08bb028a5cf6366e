"""The cells of a study in a process of their own, which knows no more than these settings.

It never reads the plan, which is 60 MB of 150,000 cells: it is sent the plan without its cells, and
with every cell to run those that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from objbench.plugins.loading import load_plugins
from objbench.results.plan import Plan
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.cell_runner import CellRunner
from objbench.runs.cells.prepared_study import PreparedStudy, prepare
from objbench.runs.cells.run_context import RunContext
from objbench.runs.progress import Report
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs to run any cell of a planned study; it can be sent to another process.

    Attributes:
        folder, cache, device, command, cell_timeout, trackers: as in ``PreparedStudy``.
        plugins: names of the plugins that the study uses.
        plan: without its cells.
    """

    folder: RunFolder
    cache: Path
    device: str
    command: str
    plugins: tuple[str, ...]
    plan: Plan
    cell_timeout: float | None = None
    trackers: tuple[str, ...] = ()


def worker_settings(prepared: PreparedStudy, plan: Plan) -> WorkerSettings:
    """The settings of the workers of a planned study."""
    study = prepared.study
    plugins = (*study.objectives, *study.evaluation.suites)
    return WorkerSettings(
        prepared.folder,
        prepared.cache,
        prepared.device,
        prepared.command,
        plugins,
        plan.model_copy(update={"cells": ()}),
        prepared.cell_timeout,
        prepared.trackers,
    )


def start_worker(settings: WorkerSettings, report: Report) -> CellRunner:
    """What runs cells here, each given with those that it needs.

    Args:
        settings: the study's.
        report: called with the progress of cells.
    """
    prepared = prepare(
        Study.model_validate(settings.plan.study),
        load_plugins(only=settings.plugins),
        settings.folder,
        cache=settings.cache,
        device=settings.device,
        command=settings.command,
        cell_timeout=settings.cell_timeout,
        trackers=settings.trackers,
        is_planned=True,
    )
    return CellRunner(RunContext(prepared, settings.plan, report))
