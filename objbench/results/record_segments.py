"""Segments: final records of a run, packed by the thousand into files that are written once.

A study of 150,000 cells has as many small files, which network file systems and object stores list
and open slowly, one by one. A segment is one of them::

    segments/<number>.jsonl    {"cells": [[stem, status, bytes, SHA-256], ...], ...}
                               a record for each of these, one per line

The first line alone says which cells there are, how they ended and where their lines are, so
neither a listing nor the reading of one record reads the others. It holds a digest of itself and of
every line.

A segment is made of all that it holds at once, by ``put_once``, under the number after the last one.
Only somebody who has seen all earlier segments can do so, so no two hold the same cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from objbench.errors import RecordError
from objbench.results.canonical_lines import canonical_line, digest
from objbench.results.foreign_values import Count, Inside, Key
from objbench.results.json_files import (
    SCHEMA_VERSION,
    SchemaVersion,
    Stored,
    fault,
    parsed,
    sealed,
    unsealed,
)
from objbench.results.record_names import Stem, stem_of
from objbench.results.records import RECORD, AnyRecord, Status
from objbench.results.store import Store

SEGMENTS = "segments"
SIZE = 1000
"""Records in a segment."""

KINDS = ("evaluation", "floor", "curve")
"""What is packed. A record that names encoders stays a file of its own, since it has to be deleted
where they are lost; there are few of them."""

_HEAD_BYTES = 1 << 18
_LONGEST_HEAD = 1 << 26


class _Head(Stored):
    """The first line of a segment."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    cells: tuple[
        tuple[
            Inside,
            Literal["ok", "diverged"],
            Annotated[int, Field(strict=True, gt=0, le=10**9)],
            Key,
        ],
        ...,
    ]


_HEADS: TypeAdapter[_Head] = TypeAdapter(_Head)


@dataclass(frozen=True, slots=True)
class Packed:
    """A record in a segment.

    Attributes:
        segment: the name of the file.
        status: of the record.
        start, bytes: of its line.
        digest: the SHA-256 of its line.
    """

    segment: str
    status: Status
    start: Count
    bytes: Count
    digest: Key


class Segments:
    """The segments in ``store``; the first line of each is read once.

    Every method raises a RecordError where a segment cannot be read or is damaged.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int] = {}
        self._cells: dict[Stem, Packed] = {}

    def look(self) -> Mapping[Stem, Packed]:
        """Which records are packed now."""
        names = self._names()
        if not self._sizes.keys() <= {*names}:
            # Somebody has deleted one, to have its cells run again.
            self._sizes.clear()
            self._cells.clear()
        for name in names:
            if name not in self._sizes:
                self._take(name)
        return self._cells

    def read(self, stem: Stem) -> AnyRecord | None:
        """A record; None where it is not packed."""
        packed = self.look().get(stem)
        if packed is None:
            return None
        try:
            line = self._store.read_part(packed.segment, packed.start, packed.bytes)
        except OSError as error:
            raise self._unreadable(packed.segment, error) from error
        return self._record(stem, packed, line)

    def read_all(self) -> Iterator[tuple[Stem, AnyRecord]]:
        """All records; each segment is read at once."""
        content, segment = b"", ""
        for stem, packed in self.look().items():
            if packed.segment != segment:
                segment = packed.segment
                try:
                    content = self._store.read(segment)
                except OSError as error:
                    raise self._unreadable(segment, error) from error
            line = content[packed.start : packed.start + packed.bytes]
            yield stem, self._record(stem, packed, line)

    def put(self, records: Sequence[AnyRecord]) -> bool:
        """Make the next segment; returns whether it is there and this call has made it.

        Args:
            records: final ones, none of which was packed at the last ``look``.
        """
        lines = [canonical_line(one.model_dump(mode="json")).encode() for one in records]
        cells = [
            (stem_of(record), record.status, len(line), digest(line))
            for record, line in zip(records, lines, strict=True)
        ]
        head = canonical_line(sealed({"cells": cells, "schema_version": SCHEMA_VERSION}))
        last = max((_number(name) for name in self._sizes), default=0)
        content = b"\n".join([head.encode(), *lines, b""])
        return self._store.put_once(f"{SEGMENTS}/{last + 1:04d}.jsonl", content)

    def remove_all(self) -> None:
        """Remove every segment."""
        for name in self._names():
            self._store.delete(name)

    def _names(self) -> list[str]:
        try:
            found = self._store.list(SEGMENTS)
        except OSError as error:
            raise self._unreadable(SEGMENTS, error) from error
        names = [name for name in found if name.endswith(".jsonl") and _number(name)]
        return sorted(names, key=_number)

    def _take(self, name: str) -> None:
        """Read the first line of a segment."""
        head = self._head(name)
        try:
            cells = _HEADS.validate_python(unsealed(parsed(head))).cells
        except ValueError as error:
            raise self._damaged(name, f"its first line: {fault(error)}") from error
        self._sizes[name] = len(cells)
        start = len(head) + 1
        for stem, status, length, written in cells:
            self._cells.setdefault(stem, Packed(name, status, start, length, written))
            start += length + 1

    def _head(self, name: str) -> bytes:
        length = _HEAD_BYTES
        while True:
            try:
                found = self._store.read_part(name, 0, length)
            except OSError as error:
                raise self._unreadable(name, error) from error
            head, end, _ = found.partition(b"\n")
            if end:
                return head
            if len(found) < length or length > _LONGEST_HEAD:
                raise self._damaged(name, "its first line is cut off")
            length *= 4

    def _record(self, stem: Stem, packed: Packed, line: bytes) -> AnyRecord:
        if digest(line) != packed.digest:
            raise self._damaged(packed.segment, f"the line of {stem} is not what was written")
        try:
            record = RECORD.validate_python(parsed(line))
        except ValueError as error:
            raise self._damaged(packed.segment, f"the line of {stem}: {fault(error)}") from error
        if (stem_of(record), record.status) != (stem, packed.status):
            raise self._damaged(packed.segment, f"the line of {stem} is of another cell")
        return record

    def _damaged(self, name: str, why: str) -> RecordError:
        cells = self._sizes.get(name)
        return RecordError(
            f"{self._store.where(name)} is damaged ({why}): put a copy of it there, or delete it "
            f"and run the study again, which runs its {f'{cells} cells' if cells else 'cells'} again"
        )

    def _unreadable(self, name: str, error: OSError) -> RecordError:
        return RecordError(f"{self._store.where(name)} cannot be read: {error.strerror}")


def is_packed_kind(stem: Stem) -> bool:
    """Whether records of that stem are packed."""
    return stem.partition("/")[0] in KINDS


def _number(name: str) -> int:
    """The number of a segment; 0 for any other file."""
    text = name.removeprefix(f"{SEGMENTS}/").removesuffix(".jsonl")
    return int(text) if text.isascii() and text.isdecimal() else 0
