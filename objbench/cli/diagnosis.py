"""What ``objbench doctor`` finds, and how it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from objbench.errors import one_line

Status = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at.

    Attributes:
        name: what was looked at, such as "disk".
        status: a warning costs time or comparability; with a fault, runs fail.
        what: what was found.
        todo: what to do about it; "" where nothing is to be done.
    """

    name: str
    status: Status
    what: str
    todo: str = ""

    @property
    def line(self) -> str:
        """What was found and what to do, on one line; it may hold foreign text."""
        return one_line(f"{self.what}; {self.todo}" if self.todo else self.what)


def diagnosis_lines(found: Iterable[Diagnosis]) -> list[str]:
    """A line per diagnosis: ok, warning or fault; its name; what was found and what to do."""
    found = list(found)
    width = max((len(own.name) for own in found), default=0)
    return [f"{own.status:<8} {own.name:<{width}}  {own.line}" for own in found]
