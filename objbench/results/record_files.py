"""The records of a run in its store: each is written once, and a listing says which there are.

Any number of workers may write at the same time. Of those that finish one cell the first stores its
record, and the others find it; of attempts that fail each leaves its own file. ``record_names`` says
what the files are called, and ``record_segments`` where records are packed.

Whoever looks for records looks at single files first and at segments afterwards, since packing puts
a segment there before it deletes the files. Where both have a cell, the segment counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

from objbench.errors import RecordError
from objbench.results.json_files import dump_sealed, stored_in
from objbench.results.plan import PlannedCell
from objbench.results.record_names import (
    ATTEMPTS,
    FINAL,
    RECORDS,
    Stem,
    again_name,
    attempt_name,
    is_record,
    last_attempts,
    older_name,
    parsed_record_name,
    record_name,
    stem_of,
)
from objbench.results.record_segments import SIZE, Segments, is_packed_kind
from objbench.results.records import RECORD, AnyRecord, Status
from objbench.results.store import Store

_AT_ONCE = 32


class RecordFiles:
    """The records in ``store``.

    Every method raises a RecordError, in one line, where a file or a folder cannot be read; those
    that read records also where one is damaged, or is that of another cell.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._segments = Segments(store)

    def statuses(self, cells: Iterable[PlannedCell]) -> dict[str, Status]:
        """How those of ``cells`` ended that have ended: id -> status.

        No record is read, but for those of earlier versions.
        """
        final: dict[Stem, Status] = {}
        older: set[Stem] = set()
        for stem, status, _ in self._records():
            if status is None:
                older.add(stem)
            else:
                final.setdefault(stem, status)
        attempts = last_attempts(self._list(ATTEMPTS))
        packed = self._segments.look()
        found: dict[str, Status] = {}
        for cell in cells:
            stem = stem_of(cell)
            status = packed[stem].status if stem in packed else final.get(stem)
            if status is None and stem in older:
                record = self._read(older_name(stem))
                status = None if record is None else record.status
            if status is None and stem in attempts:
                status = "failed"
            is_again = attempts.get(stem, (0, False))[1]
            if status is not None and not (status == "failed" and is_again):
                found[cell.id] = status
        return found

    def read(self, cell: PlannedCell | AnyRecord) -> AnyRecord | None:
        """The record of a cell, or its last failed attempt; None where it is still to be run."""
        record = self._final(stem_of(cell)) or self._failed(stem_of(cell))
        # A name has the beginning of the key only.
        return record if record is not None and record.key == cell.key else None

    def read_all(self) -> list[AnyRecord]:
        """What ``read`` returns for every cell that has a file, sorted by the names of files."""
        names = self._records()
        attempts = last_attempts(self._list(ATTEMPTS))
        found = dict(self._segments.read_all())
        failed: dict[Stem, AnyRecord] = {}
        left = [(stem, name) for stem, _, name in names if stem not in found]
        records = self._read_many([name for _, name in left])
        for (stem, _), record in zip(left, records, strict=True):
            if record is None and is_packed_kind(stem):
                record = self._segments.read(stem)  # It was packed meanwhile.
            if record is not None and stem not in found:
                (found if record.status in FINAL else failed)[stem] = record
        for stem, (number, is_again) in attempts.items():
            failed.pop(stem, None)
            if not is_again and stem not in found:
                record = self._read(attempt_name(stem, number))
                if record is not None:
                    failed[stem] = record
        all_of_them = {**failed, **found}
        return [all_of_them[stem] for stem in sorted(all_of_them)]

    def write(self, record: AnyRecord) -> AnyRecord:
        """Store a record, or a failed attempt; nothing that is there is overwritten.

        Returns:
            The record of the cell: this one, or that of whoever was first.
        """
        content, stem = dump_sealed(record).encode(), stem_of(record)
        if record.status not in FINAL:
            next(n for n in count(1) if self._store.put_once(attempt_name(stem, n), content))
            return record
        first = self._final(stem)
        if first is None and self._store.put_once(record_name(stem, record.status), content):
            return record
        return first or self._final(stem) or record

    def set_failures_aside(self, cells: Iterable[PlannedCell]) -> None:
        """Have those of ``cells`` run again that failed; what is known of that stays."""
        cells = list(cells)
        statuses = self.statuses(cells)
        attempts = last_attempts(self._list(ATTEMPTS))
        for cell in cells:
            if statuses.get(cell.id) == "failed":
                number, _ = attempts.get(stem_of(cell), (0, False))
                self._store.put_once(again_name(stem_of(cell), number), b"")

    def pack(self, size: int = SIZE) -> int:
        """Move final records into segments, as long as there are ``size`` for one.

        Any number of processes may do so at the same time, and be killed. A record that cannot be
        read is left where it is, to be reported to whoever wants it.

        Returns:
            How many this call has packed.
        """
        packed = 0
        while True:
            names = [
                (stem, name)
                for stem, status, name in self._records()
                if status is not None and is_packed_kind(stem)
            ]
            known = self._segments.look()
            for stem, name in names:
                if stem in known:
                    self._store.delete(name)
            left = {stem: name for stem, name in reversed(names) if stem not in known}
            if len(left) < size:
                return packed
            records = list(islice(self._readable(sorted(left.values())), size))
            if len(records) < size:
                return packed
            # The next turn deletes the files, which a kill before it leaves to another call.
            if not self._segments.put(records):
                return packed  # Somebody else is packing.
            packed += size

    def has_any(self) -> bool:
        """Whether there is any record or attempt, of whatever cell."""
        return bool(self._list(RECORDS) or self._list(ATTEMPTS) or self._segments.look())

    def remove_all(self) -> None:
        """Remove every record and attempt."""
        self._segments.remove_all()
        for name in (*self._list(RECORDS), *self._list(ATTEMPTS)):
            self._store.delete(name)

    def where(self, cell: PlannedCell) -> str:
        """How to tell a user where the record of a cell is."""
        stem = stem_of(cell)
        names = [*(record_name(stem, status) for status in FINAL), older_name(stem)]
        there = [name for name in names if self._store.exists(name)]
        packed = self._segments.look().get(stem)
        return self._store.where(packed.segment if packed else (there or names)[0])

    def _final(self, stem: Stem) -> AnyRecord | None:
        """The record of a cell that is not run again; None where there is none."""
        found = None
        for name in (*(record_name(stem, status) for status in FINAL), older_name(stem)):
            record = self._read(name)
            if record is not None and record.status in FINAL:
                found = record
                break
        return (self._segments.read(stem) if is_packed_kind(stem) else None) or found

    def _failed(self, stem: Stem) -> AnyRecord | None:
        """The last failed attempt at a cell; None where it is to be run again."""
        number = 0
        while self._store.exists(attempt_name(stem, number + 1)):
            number += 1
        if self._store.exists(again_name(stem, number)):
            return None
        return self._read(attempt_name(stem, number))

    def _records(self) -> list[tuple[Stem, Status | None, str]]:
        """Stem, status and name of every file of a record; those of one cell as they count."""
        places = {place: number for number, place in enumerate((*FINAL, None))}
        names = [(*parsed_record_name(name), name) for name in self._list(RECORDS)]
        return sorted(names, key=lambda found: places[found[1]])

    def _readable(self, names: Sequence[str]) -> Iterator[AnyRecord]:
        for name in names:
            try:
                record = self._read(name)
            except RecordError:
                continue
            if record is not None:
                yield record

    def _read_many(self, names: Sequence[str]) -> Iterator[AnyRecord | None]:
        """As ``_read``, of several files at the same time, for stores that answer late."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for at in range(0, len(names), SIZE):
                some = names[at : at + SIZE]
                for name, content in zip(some, pool.map(self._content, some), strict=True):
                    yield self._parsed(name, content)

    def _read(self, name: str) -> AnyRecord | None:
        """The record in the file ``name``, which is of the cell that the name says; None without one.

        So no cell has two records, and none has that of another one under its name.
        """
        return self._parsed(name, self._content(name))

    def _content(self, name: str) -> bytes | None:
        try:
            return self._store.read(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _parsed(self, name: str, content: bytes | None) -> AnyRecord | None:
        if content is None:
            return None
        record = stored_in(content, self._store.where(name), RECORD)
        if not _is_of(record, name):
            raise RecordError(
                f"{self._store.where(name)} holds the record of another cell, {record.kind} "
                f"{record.id}: delete it and run the study again"
            )
        return record

    def _list(self, folder: str) -> list[str]:
        try:
            names = self._store.list(folder)
        except OSError as error:
            raise self._unreadable(folder, error) from error
        return [name for name in names if folder != RECORDS or is_record(name)]

    def _unreadable(self, name: str, error: OSError) -> RecordError:
        return RecordError(f"{self._store.where(name)} cannot be read: {error.strerror}")


def _is_of(record: AnyRecord, name: str) -> bool:
    """Whether a record, or a failed attempt, may be in a file of that name."""
    stem = stem_of(record)
    if name.startswith(f"{ATTEMPTS}/"):
        return record.status not in FINAL and stem in last_attempts([name])
    return name in (record_name(stem, record.status), older_name(stem))
