"""Where a user wants cells to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from objbench.runs.executors.crew import Crew

EXECUTORS = ("local", "workers", "ray", "slurm")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user wants cells to run.

    Attributes:
        name: one of ``EXECUTORS``.
        crew: the workers that are started there; None where others start them, or none is needed.
    """

    name: str = "local"
    crew: Crew | None = None


HERE = Place()
