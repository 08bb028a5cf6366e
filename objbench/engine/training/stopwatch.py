"""Device seconds: a stopwatch that runs only during training."""

from __future__ import annotations

import time

import torch


class Stopwatch:
    """Adds up the time between ``start`` and ``pause``, over pauses and resumed runs.

    A GPU works asynchronously, so it is waited for, but only when the watch is started, read or
    paused, never in between.

    Args:
        device: the device whose work is timed.
        seconds: what an earlier run had already spent.
    """

    def __init__(self, device: torch.device, seconds: float = 0.0) -> None:
        self._device = device
        self._seconds = seconds
        self._since: float | None = None

    @property
    def running(self) -> bool:
        """Whether time is being added up now."""
        return self._since is not None

    def start(self) -> None:
        """Start or go on; does nothing to a running watch."""
        if self._since is None:
            self._since = self._now()

    def pause(self) -> float:
        """Stop adding up; returns the seconds so far."""
        self._seconds = self.read()
        self._since = None
        return self._seconds

    def read(self) -> float:
        """The seconds so far; waits for the device if the watch is running."""
        if self._since is None:
            return self._seconds
        return self._seconds + self._now() - self._since

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
