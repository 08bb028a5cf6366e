"""Where the lines of a pretraining cell go: its file in the run folder, and the user's trackers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.results.training_log import LogLine, TrainingLog
from objbench.runs.tracking.tracked_cell import TrackedCell
from objbench.runs.tracking.tracker import TrackedRun
from objbench.runs.tracking.trackers import TRACKERS

_PATIENCE = 60.0
"""Seconds that trackers are given to take the last lines of a cell that has ended."""
_PATIENCE_WHEN_INTERRUPTED = 3.0


class CellLog:
    """Writes the lines, and says so when a cell continues where another run left it.

    Args:
        path: the file.
        report: shows (steps done, steps in all, a text, whether it stays).
        tracked: the cell in each tracker; one that fails is reported once, and left alone.
    """

    def __init__(
        self,
        path: Path,
        report: Callable[[int, int, str, bool], None],
        tracked: Sequence[TrackedCell] = (),
    ) -> None:
        self._file = TrainingLog(path)
        self._report = report
        self._tracked = list(tracked)
        self._reached = (0, 1)

    def begin(self, done: int, total: int) -> None:
        """Cut the file back to ``done`` steps."""
        self._reached = (done, total)
        self._file.begin(done, total)
        if done:
            self._report(done, total, f"continuing from step {done:,}", True)
        for tracked in self._tracked:
            tracked.begin(done)

    def add(self, line: LogLine) -> None:
        """Write a line."""
        self._reached = (line.done, line.total)
        self._file.add(line)
        for tracked in self._tracked:
            tracked.add(line)
        self._report_faults()

    def sync(self) -> None:
        """Make the lines survive the machine."""
        self._file.sync()

    def _report_faults(self) -> None:
        for tracked in [each for each in self._tracked if each.fault]:
            self._tracked.remove(tracked)
            text = f"no longer tracked by {tracked.name}: {tracked.fault}"
            self._report(*self._reached, text, True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._file.stop()
        self._file.close()
        interrupted = kind is not None and not issubclass(kind, Exception)
        for tracked in self._tracked:
            tracked.close(_PATIENCE_WHEN_INTERRUPTED if interrupted else _PATIENCE)
        self._report_faults()


def tracked_cell(
    name: str, folder: RunFolder, study: str, cell: PlannedCell, settings: Mapping[str, Any]
) -> TrackedCell:
    """``cell`` in the tracker ``name``.

    Args:
        name: the tracker.
        folder: the run folder.
        study: its study's name.
        cell: a pretraining.
        settings: the cell's, as its record will have them.
    """
    run = TrackedRun(
        study=study,
        cell=cell.id,
        objective=cell.objective,
        folder=folder.tracking(name),
        file=folder.log(cell).stem,
        settings=_flat(settings),
    )
    return TrackedCell(TRACKERS[name], run)


def _flat(settings: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{place}{name}.")
        else:
            plain = isinstance(value, bool | int | float | str)
            found[f"{place}{name}"] = value if plain else str(value)
    return found
