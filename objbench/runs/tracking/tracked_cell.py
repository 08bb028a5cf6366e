"""Sends the lines of a cell to a tracker, from a thread of its own.

A tracker may be slow, wait for a server, or fail: training does not wait for it, and a tracker that
has failed is left alone. Its fault is kept for the cell's own thread, which says it once.
"""

from __future__ import annotations

import queue
import re
import sys
import threading
from typing import Any, TextIO

from objbench.errors import one_line
from objbench.results.training_log import EvaluationLine, LogLine
from objbench.runs.tracking.tracker import TrackedRun, Tracker

_MOST = 10_000
"""Lines that may wait for a tracker."""

_THREAD = "objbench tracker"


class TrackedCell:
    """One cell in one tracker.

    Args:
        tracker: which.
        run: the cell.

    Attributes:
        fault: why the tracker takes no more lines; "" while it does.
    """

    def __init__(self, tracker: Tracker, run: TrackedRun) -> None:
        self.fault = ""
        self.name = tracker.name
        self._tracker = tracker
        self._run = run
        self._lines: queue.Queue[LogLine | None] = queue.Queue(_MOST)
        self._thread: threading.Thread | None = None

    def begin(self, done: int) -> None:
        """Start the run, or go on in it after ``done`` steps."""
        if not isinstance(sys.stdout, _WithoutTrackers):
            sys.stdout = _WithoutTrackers(sys.stdout)
        # Everything in one thread: some trackers know the run of each thread only. A daemon, so
        # that one which hangs does not keep the process.
        self._thread = threading.Thread(
            target=self._send_all, args=(done,), name=_THREAD, daemon=True
        )
        self._thread.start()

    def add(self, line: LogLine) -> None:
        """Have ``line`` sent; returns at once."""
        if not self.fault:
            try:
                self._lines.put_nowait(line)
            except queue.Full:
                self.fault = f"it has not taken {_MOST:,} lines"

    def close(self, seconds: float) -> None:
        """End the run; what was not sent after ``seconds`` is given up."""
        if self._thread is None:
            return
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(seconds)
        if self._thread.is_alive() and not self.fault:
            self.fault = f"it did not take the last lines within {seconds:.0f} s"
        self._thread = None

    def _send_all(self, done: int) -> None:
        try:
            made = self._tracker.start(self._run, done)
            known = self._tracker.settled(made, self._run, done)
            while (line := self._lines.get()) is not None:
                if self.fault:
                    return
                if line.done > known and (values := values_of(line)):
                    made.log(values, step=line.done)
            made.finish()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code ends no cell
            self.fault = self.fault or one_line(error)[:200] or type(error).__name__


class _WithoutTrackers:
    """A stream without what trackers print: stdout is for the leaderboard."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name == _THREAD:
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def values_of(line: LogLine) -> dict[str, Any]:
    """What a tracker is sent: name -> number; nothing of steps that will be undone."""
    values: dict[str, Any] = {
        "spent/steps": line.step,
        "spent/tokens": line.tokens,
        "spent/flops": line.flops,
        "spent/seconds": line.seconds,
    }
    if isinstance(line, EvaluationLine):
        values |= {f"heldout/{_plain(name)}": value for name, value in line.heldout.items()}
        values |= {"heldout/common_loss": line.common_loss, "heldout/order_gain": line.order_gain}
    elif line.branch:
        return {}
    else:
        values |= {f"train/terms/{_plain(name)}": value for name, value in line.terms.items()}
        values |= {
            "train/loss": line.loss,
            "train/gradient_norm": line.gradient_norm,
            "train/learning_rate": line.learning_rate,
            "train/tokens_per_second": line.tokens_per_second,
        }
    return {name: value for name, value in values.items() if value is not None}


def _plain(name: str) -> str:
    """``name`` of the signs that all trackers take."""
    return re.sub(r"[^A-Za-z0-9_. -]", "_", name)
