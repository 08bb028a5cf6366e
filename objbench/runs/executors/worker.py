"""The cells of a study in a process of their own, which knows no more than these settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from objbench.plugins.loading import load_plugins
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
    """

    folder: RunFolder
    cache: Path
    device: str
    command: str
    plugins: tuple[str, ...]
    cell_timeout: float | None = None
    trackers: tuple[str, ...] = ()


def worker_settings(prepared: PreparedStudy) -> WorkerSettings:
    """The settings of the workers of a study."""
    study = prepared.study
    plugins = (*study.objectives, *study.evaluation.suites)
    return WorkerSettings(
        prepared.folder,
        prepared.cache,
        prepared.device,
        prepared.command,
        plugins,
        prepared.cell_timeout,
        prepared.trackers,
    )


def start_worker(settings: WorkerSettings, report: Report) -> CellRunner:
    """What runs cells here, of the study whose plan is in the run folder.

    Args:
        settings: the study's.
        report: called with the progress of cells.
    """
    plan = settings.folder.read_plan()
    prepared = prepare(
        Study.model_validate(plan.study),
        load_plugins(only=settings.plugins),
        settings.folder,
        cache=settings.cache,
        device=settings.device,
        command=settings.command,
        cell_timeout=settings.cell_timeout,
        trackers=settings.trackers,
    )
    return CellRunner(RunContext(prepared, plan, report))
