"""Which cells are attempted again: what the machine lost is, what the code did is not.

A pretraining continues from its checkpoint, so an attempt loses no more than the time since then.
"""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

LossKind = Literal["lost", "killed", "crashed", "memory", "hung", "fenced"]

ATTEMPTS: dict[LossKind, int] = {
    "lost": 5,
    "killed": 5,
    "crashed": 2,
    "memory": 2,
    "hung": 1,
    "fenced": 1,
}
"""How often a cell is attempted that ends so each time: its process ended from outside; killed
outright, as a machine does that is out of memory; crashed in code that is not Python's, in which the
machine may have had a part; out of memory by its own account; over its time, and beyond reach;
in the hands of another worker by now."""

FIRST_DELAY, FACTOR = 1.0, 4.0
"""Seconds before the second attempt, and how many times longer before each one after it."""

_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
_SHELL = 128
"""A shell reports the end by a signal as this plus its number."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A cell that has ended without a result that counts.

    Attributes:
        kind: how.
        words: such as "its process was killed by SIGKILL".
    """

    kind: LossKind
    words: str


@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt at a cell.

    Attributes:
        number: of the attempt, from 2.
        delay: seconds until then.
        alone: not while another cell runs.
    """

    number: int
    delay: float
    alone: bool


@dataclass
class Attempts:
    """Counts the attempts at each cell.

    Attributes:
        shares_memory: cells that run at the same time share their memory, so that one that ran out
            of it may find more when it runs alone.
    """

    shares_memory: bool
    _lost: Counter[str] = field(default_factory=Counter)

    def again(self, cell: str, loss: Loss) -> Again | None:
        """The next attempt at a cell after a loss; None if there is none."""
        self._lost[cell] += 1
        lost = self._lost[cell]
        if lost >= ATTEMPTS[loss.kind] or (loss.kind == "memory" and not self.shares_memory):
            return None
        alone = self.shares_memory and loss.kind in ("killed", "memory")
        return Again(lost + 1, FIRST_DELAY * FACTOR ** (lost - 1), alone)

    def reason(self, cell: str, loss: Loss) -> str:
        """Why a cell is given up, for its record."""
        times = self._lost[cell]
        return loss.words if times < 2 else f"{loss.words}, at the last of {times} attempts"


def loss_by_exit(code: int | None) -> Loss:
    """The loss of a cell whose process ended with an exit code, minus the signal if one ended it.

    Args:
        code: None where it is not known.
    """
    if code is None:
        return Loss("lost", "its process was lost")
    number = -code if code < 0 else code - _SHELL
    if number not in {*signal.Signals}:
        return Loss("crashed", f"its process ended with exit code {code}")
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        return Loss("killed", f"its process was killed by {name} (out of memory?)")
    kind: LossKind = "crashed" if number in _CRASHES else "lost"
    return Loss(kind, f"its process was ended by {name}")
