"""Where the lines of a pretraining cell go: its file in the run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from objbench.results.training_log import LogLine, TrainingLog


class CellLog:
    """Writes the lines, and says so when a cell continues where another run left it.

    Args:
        path: the file.
        report: shows (steps done, steps in all, a text, whether it stays).
    """

    def __init__(self, path: Path, report: Callable[[int, int, str, bool], None]) -> None:
        self._file = TrainingLog(path)
        self._report = report

    def begin(self, done: int, total: int) -> None:
        """Cut the file back to ``done`` steps."""
        self._file.begin(done, total)
        if done:
            self._report(done, total, f"continuing from step {done:,}", True)

    def add(self, line: LogLine) -> None:
        """Write a line."""
        self._file.add(line)

    def sync(self) -> None:
        """Make the lines survive the machine."""
        self._file.sync()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
