"""Where a user wants cells to run."""

from __future__ import annotations

from dataclasses import dataclass

EXECUTORS = ("local", "workers")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user wants cells to run.

    Attributes:
        name: one of ``EXECUTORS``.
    """

    name: str = "local"


HERE = Place()
