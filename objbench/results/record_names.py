"""What the files of records are called: their names alone say which cells have ended, and how.

::

    records/<kind>/<cell id>.<key>.<status>.json    "ok" or "diverged"; written once, never changed
    records/<kind>/<cell id>.<key>.json             of earlier versions, whatever the status
    attempts/<kind>/<cell id>.<key>.<n>.json        how a cell failed, the first time with n = 1
    attempts/<kind>/<cell id>.<key>.<n>.again       that it is to be run again since

``<key>`` is the beginning of the key. A failed attempt is no record, so a cell that succeeds later
changes no file. Where a cell has several files, what comes first in this order counts: "ok",
"diverged", the record of an earlier version unless it failed, the last attempt, the record of an
earlier version that failed, which counts as attempt 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, Status

RECORDS, ATTEMPTS = "records", "attempts"

FINAL: tuple[Status, ...] = ("ok", "diverged")
"""The statuses after which a cell is not run again, in the order in which they count."""

Stem: TypeAlias = str
"""What the names of all files of a cell have in common: "<kind>/<cell id>.<key>"."""

_END, _AGAIN = ".json", ".again"


def cell_name(cell: PlannedCell | AnyRecord) -> str:
    """The name of a cell and its key, which also folders and files of it are called by."""
    return f"{cell.id}.{cell.key[:12]}"


def stem_of(cell: PlannedCell | AnyRecord) -> Stem:
    """The stem of the files of a cell."""
    return f"{cell.kind}/{cell_name(cell)}"


def record_name(stem: Stem, status: Status) -> str:
    """The file of a record with a status of ``FINAL``."""
    return f"{RECORDS}/{stem}.{status}{_END}"


def older_name(stem: Stem) -> str:
    """The file of a record as earlier versions called it."""
    return f"{RECORDS}/{stem}{_END}"


def attempt_name(stem: Stem, number: int) -> str:
    """The file of a failed attempt; of number 0, the record of an earlier version."""
    return f"{ATTEMPTS}/{stem}.{number}{_END}" if number else older_name(stem)


def again_name(stem: Stem, number: int) -> str:
    """The empty file which says that a cell is to be run again after a failed attempt."""
    return f"{ATTEMPTS}/{stem}.{number}{_AGAIN}"


def is_record(name: str) -> bool:
    """Whether a file of ``RECORDS`` is to be read as a record."""
    return name.endswith(_END)


def parsed_record_name(name: str) -> tuple[Stem, Status | None]:
    """Stem and status by the name of a record; None is the status of one of an earlier version."""
    stem = name.removeprefix(f"{RECORDS}/").removesuffix(_END)
    for status in FINAL:
        # The key of an earlier version stands there, in hex digits, which no status is.
        if stem.endswith(f".{status}"):
            return stem.removesuffix(f".{status}"), status
    return stem, None


def last_attempts(names: Iterable[str]) -> dict[Stem, tuple[int, bool]]:
    """Stem -> the number of the last failed attempt, and whether the cell is to be run again since.

    Args:
        names: of the files in ``ATTEMPTS``; what is none of an attempt is left out.
    """
    found: dict[Stem, tuple[int, bool]] = {}
    for name in names:
        path, dot, ending = name.removeprefix(f"{ATTEMPTS}/").rpartition(".")
        stem, _, number = path.rpartition(".")
        if f"{dot}{ending}" in (_END, _AGAIN) and number.isdecimal():
            this = int(number), ending == _AGAIN[1:]
            found[stem] = max(this, found.get(stem, this))
    return found
