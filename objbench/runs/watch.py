"""A cell that hangs is noticed: a line after five minutes without a step, and a limit of time.

The watch hears of every step through the display. It only speaks; what ends a cell is the limit
that the user sets, which interrupts Python code in the process that runs the cell. Code that never
returns to Python, such as a kernel that hangs, cannot be ended that way, but is still reported.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

from objbench.runs.progress import Display

QUIET_SECONDS = 300.0
"""How long a cell may take no step before it is reported, and between two reports."""


class TimeUp(BaseException):
    """The time of a cell is up; no ``Exception``, so that a plugin does not catch it by accident."""


class Watch(Display):
    """A display that reports cells from which nothing is heard.

    Args:
        shown: the display that everything goes to.
        quiet: seconds without a step after which a cell is reported.
    """

    def __init__(self, shown: Display, quiet: float = QUIET_SECONDS) -> None:
        self._shown = shown
        self._quiet = quiet
        self._heard: dict[str, float] = {}
        self._reported: dict[str, float] = {}
        self._over = threading.Event()

    def say(self, text: str) -> None:
        """Show one line that stays."""
        self._shown.say(text)

    def plan(
        self,
        left: Mapping[str, Hashable],
        total: int,
        jobs: int,
        expected: Mapping[Hashable, float] | None = None,
    ) -> None:
        """Show what is still to be run."""
        self._shown.plan(left, total, jobs, expected)

    def begin(self, cell: str) -> None:
        """Show that ``cell`` is under way elsewhere, where another watch hears of its steps."""
        self._shown.begin(cell)

    def update(self, cell: str, done: int, total: int, text: str, stays: bool = False) -> None:
        """Note a step of ``cell``, and show it."""
        self._heard[cell] = time.monotonic()
        self._reported.pop(cell, None)
        self._shown.update(cell, done, total, text, stays)

    def leave(self, cell: str, text: str) -> None:
        """Note and show that ``cell`` is not run here any longer: nothing is to be heard of it."""
        self._forget(cell)
        self._shown.leave(cell, text)

    def end(self, cell: str, text: str) -> None:
        """Note and show that ``cell`` has ended."""
        self._forget(cell)
        self._shown.end(cell, text)

    def _forget(self, cell: str) -> None:
        self._heard.pop(cell, None)
        self._reported.pop(cell, None)

    def look(self) -> None:
        """Report the cells from which nothing was heard for too long."""
        now = time.monotonic()
        for cell, heard in list(self._heard.items()):
            if now - max(heard, self._reported.get(cell, heard)) >= self._quiet:
                self._reported[cell] = now
                minutes = max(1, round((now - heard) / 60))
                self.say(
                    f"no step for {minutes} minute{'s' * (minutes > 1)}: cell {cell} "
                    "(--cell-timeout MINUTES ends such cells)"
                )

    def __enter__(self) -> Self:
        self._shown.__enter__()
        threading.Thread(target=self._keep_looking, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._shown.__exit__(*error)

    def _keep_looking(self) -> None:
        while not self._over.wait(min(5.0, self._quiet)):
            self.look()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise ``TimeUp`` in the body when it has taken ``seconds``; None for no limit.

    Signals reach the main thread only, in which every executor runs its cells; elsewhere, and where
    the system has no timers, there is no limit.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if seconds is None or not in_main or not hasattr(signal, "setitimer"):
        yield
        return

    def end(number: int, frame: object) -> None:
        raise TimeUp(f"not finished after {seconds / 60:g} minutes; raise --cell-timeout")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
