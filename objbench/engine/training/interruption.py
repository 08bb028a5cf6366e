"""Ctrl-C, SIGTERM and SIGUSR2 while a model trains: the step is finished, so that its state can be kept."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR2") if hasattr(signal, name)
)
"""Ctrl-C; what clusters send some seconds before they kill; what Slurm is asked to send long before."""

_SAME_SECONDS = 1.0
"""Signals this close together are one request: a group of processes is often sent several."""


@contextmanager
def interrupts_between_steps(alone: bool) -> Iterator[Callable[[], int]]:
    """Hold back the first interrupt in the body, which asks between steps whether there was one.

    A later one, while a step hangs, interrupts at once as usual. Several processes that train
    together are interrupted at once: they would stop at different steps.

    A signal that is ignored stays ignored: a worker leaves Ctrl-C to the process that supervises it.

    Yields what tells the number of the signal; 0 where there was none.

    Args:
        alone: whether this process trains by itself.

    Raises:
        KeyboardInterrupt: of the signal that came after the body asked for the last time.
    """
    asked: list[tuple[int, float]] = []
    if not alone or threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return

    def hold_back(number: int, frame: object) -> None:
        now = time.monotonic()
        if asked and now - asked[0][1] > _SAME_SECONDS:
            raise KeyboardInterrupt
        asked.append((number, now))

    before = {
        number: signal.signal(number, hold_back)
        for number in INTERRUPTS
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield lambda: asked[0][0] if asked else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt(asked[0][0])
