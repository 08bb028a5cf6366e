"""What the user sees while cells run: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from objbench.errors import printable
from objbench.runs.time_left import TimeLeft

_QUIET_SECONDS = 15.0
_WHOLE = "all cells"


class Report(Protocol):
    """Shows how far a cell is, now and then while it runs."""

    def __call__(self, cell: str, done: int, total: int, text: str, stays: bool = False, /) -> None:
        """Arguments as for ``Display.update``; they may be sent to another process."""


class Display:
    """Where progress goes; this one shows nothing, for every process but the main one."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def plan(
        self,
        left: Mapping[str, Hashable],
        total: int,
        jobs: int,
        expected: Mapping[Hashable, float] | None = None,
    ) -> None:
        """Note which cells are still to be run; arguments as for ``TimeLeft``."""

    def begin(self, cell: str) -> None:
        """Note that ``cell`` is under way elsewhere, of which nothing is heard until its end."""

    def update(self, cell: str, done: int, total: int, text: str, stays: bool = False) -> None:
        """Show how far ``cell`` is, and ``text`` of it; as a line of its own if it ``stays``."""

    def leave(self, cell: str, text: str) -> None:
        """Show that ``cell`` is not run here any longer although it has not ended, and why."""

    def end(self, cell: str, text: str) -> None:
        """Show that ``cell`` has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Lines(Display):
    """Plain lines on stderr: the end of each cell, and how far it and the study are now and then."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._left = TimeLeft({}, 0, 1)

    def say(self, text: str) -> None:
        """Print ``text``; where nobody reads it any more, the run goes on."""
        with suppress(BrokenPipeError):
            sys.stderr.write(f"{printable(text)}\n")
            sys.stderr.flush()

    def plan(
        self,
        left: Mapping[str, Hashable],
        total: int,
        jobs: int,
        expected: Mapping[Hashable, float] | None = None,
    ) -> None:
        """Count the cells that end from now on."""
        self._left = TimeLeft(left, total, jobs, expected)
        self._is_due(_WHOLE)

    def begin(self, cell: str) -> None:
        """Count the time that the cell takes from now on."""
        self._left.begin(cell)

    def update(self, cell: str, done: int, total: int, text: str, stays: bool = False) -> None:
        """Print a line if it stays or the cell has not printed one for a while."""
        self._left.update(cell, done / max(total, 1))
        if self._is_due(cell) or stays:
            self.say(f"{cell}: {done:,}/{total:,} {text}".rstrip())

    def leave(self, cell: str, text: str) -> None:
        """Print why."""
        self._left.leave(cell)
        self._last.pop(cell, None)
        self.say(f"{cell}: {text}")

    def end(self, cell: str, text: str) -> None:
        """Print how the cell ended, and what is left if that was not printed for a while."""
        self._left.end(cell)
        self._last.pop(cell, None)
        self.say(f"{cell}: {text}")
        if self._is_due(_WHOLE) and (words := self._left.words):
            self.say(words)

    def _is_due(self, what: str) -> bool:
        """Whether ``what`` is due to be printed; it is not when it is first asked about."""
        now = time.monotonic()
        due = now - self._last.setdefault(what, now) >= _QUIET_SECONDS
        if due:
            self._last[what] = now
        return due


class _CountedBars(Progress):
    """Bars with a line below them that says how far the whole is."""

    left = TimeLeft({}, 0, 1)

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars and the line, as they are now."""
        yield self.make_tasks_table(self.tasks)
        if words := self.left.words:
            yield Text(words)


class Bars(Display):
    """A bar for each running cell, with its count and text, and a line for all cells."""

    def __init__(self) -> None:
        self._progress = _CountedBars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def plan(
        self,
        left: Mapping[str, Hashable],
        total: int,
        jobs: int,
        expected: Mapping[Hashable, float] | None = None,
    ) -> None:
        """Count the cells that end from now on."""
        self._progress.left = TimeLeft(left, total, jobs, expected)

    def begin(self, cell: str) -> None:
        """Count the time that the cell takes from now on."""
        self._progress.left.begin(cell)

    def say(self, text: str) -> None:
        """Print ``text`` above the bars."""
        self._progress.console.print(printable(text), markup=False, highlight=False)

    def update(self, cell: str, done: int, total: int, text: str, stays: bool = False) -> None:
        """Move the cell's bar."""
        self._progress.left.update(cell, done / max(total, 1))
        if stays:
            self.say(f"{cell}: {text}")
        if cell not in self._tasks:
            self._tasks[cell] = self._progress.add_task(cell, total=total, text=text)
        self._progress.update(self._tasks[cell], completed=done, total=total, text=text)

    def leave(self, cell: str, text: str) -> None:
        """Replace the cell's bar by a line."""
        self._progress.left.leave(cell)
        self._replace(cell, text)

    def end(self, cell: str, text: str) -> None:
        """Replace the cell's bar by a line."""
        self._progress.left.end(cell)
        self._replace(cell, text)

    def _replace(self, cell: str, text: str) -> None:
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
