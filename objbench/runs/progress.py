"""What the user sees while cells run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_QUIET_SECONDS = 15.0


class Display:
    """Where progress goes; this one shows nothing, for every process but the main one."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def plan(self, done: int, total: int, jobs: int) -> None:
        """Note that ``done`` of ``total`` cells are finished, and ``jobs`` run at a time."""

    def update(self, cell: str, done: int, total: int, text: str) -> None:
        """Show how far ``cell`` is."""

    def end(self, cell: str, text: str) -> None:
        """Show that ``cell`` has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Lines(Display):
    """Plain lines on stderr: the end of each cell, and its progress every 15 seconds."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Print ``text``; where nobody reads it any more, the run goes on."""
        with suppress(BrokenPipeError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def update(self, cell: str, done: int, total: int, text: str) -> None:
        """Print a line if the cell has not printed one for a while."""
        now = time.monotonic()
        if now - self._last.setdefault(cell, now) >= _QUIET_SECONDS:
            self._last[cell] = now
            self.say(f"{cell}: {done:,}/{total:,} {text}".rstrip())

    def end(self, cell: str, text: str) -> None:
        """Print how the cell ended."""
        self._last.pop(cell, None)
        self.say(f"{cell}: {text}")


class Bars(Display):
    """A bar for each running cell, with its text, count, and time left."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def say(self, text: str) -> None:
        """Print ``text`` above the bars."""
        self._progress.console.print(text, markup=False, highlight=False)

    def update(self, cell: str, done: int, total: int, text: str) -> None:
        """Move the cell's bar."""
        if cell not in self._tasks:
            self._tasks[cell] = self._progress.add_task(cell, total=total, text=text)
        self._progress.update(self._tasks[cell], completed=done, total=total, text=text)

    def end(self, cell: str, text: str) -> None:
        """Replace the cell's bar by a line."""
        if cell in self._tasks:
            self._progress.remove_task(self._tasks.pop(cell))
        self.say(f"{cell}: {text}")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def display(quiet: bool = False) -> Display:
    """Bars if stderr is a terminal, plain lines if not, nothing if ``quiet``."""
    if quiet:
        return Display()
    return Bars() if sys.stderr.isatty() else Lines()
