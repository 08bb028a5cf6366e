"""How a cell ended, as the executors hear it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from objbench.results.records import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended.

    Attributes:
        id: the cell's.
        status: as in its record.
        text: what to show in a few words.
        fixable: a failure that the user can fix (bad input) rather than a bug.
        out_of_memory: it failed for want of memory, which it may have on another attempt.
    """

    id: str
    status: Status
    text: str
    fixable: bool = False
    out_of_memory: bool = False


Ended = Callable[[Outcome], None]
"""Called with how each cell ended, at once."""
