"""The records of a run: those of its text, and those of everything else, from which a page is made."""

from __future__ import annotations

from collections.abc import Iterable

from objbench.results.kept_logs import put_log, remove_logs, with_log
from objbench.results.plan import TEXT_KINDS, CellKind, PlannedCell
from objbench.results.record_files import RecordFiles
from objbench.results.record_names import FINAL, RECORDS
from objbench.results.records import AnyRecord, Status
from objbench.results.store import Store
from objbench.results.store_part import StorePart


class RunRecords:
    """The records of a run.

    Attributes:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._records = RecordFiles(store)
        # No page is made from these.
        self._text_records = RecordFiles(StorePart(store, "text"))

    def read_record(self, cell: PlannedCell) -> AnyRecord | None:
        """The record of a cell, or its last failed attempt; None where it is still to be run.

        Raises:
            RecordError: it cannot be read, or is that of another cell.
        """
        return self._files_of(cell).read(cell)

    def write_record(self, record: AnyRecord) -> AnyRecord:
        """Store a record unless its cell has one, or a failed attempt beside earlier ones.

        A log is stored apart, so that whoever finds the record finds it too.

        Returns:
            The record of the cell: this one, or that of whoever was first.
        """
        apart = put_log(self.store, record)
        stored = self._files_of(record).write(apart)
        return record if stored is apart else stored

    def with_log(self, record: AnyRecord) -> AnyRecord:
        """``record`` of this run and its log.

        Raises:
            RecordError: the log is missing or damaged.
        """
        return with_log(self.store, record)

    def read_records(self) -> list[AnyRecord]:
        """What ``read_record`` returns for every cell, current or stale; sorted by kind and name.

        Raises:
            RecordError: one of the files cannot be read, or is that of another cell.
        """
        return self._records.read_all()

    def has_records(self) -> bool:
        """Whether there is any record or failed attempt, current or stale."""
        return self._records.has_any()

    def remove_records(self) -> None:
        """Remove every record with its log, and every failed attempt."""
        self._records.remove_all()
        remove_logs(self.store)

    def finished_cells(self, cells: Iterable[PlannedCell]) -> dict[str, Status]:
        """Which of ``cells`` need not be run: id -> status of those with a record.

        A diverged cell is finished too, since it would diverge again, but nothing can build on it.

        Raises:
            RecordError: the names of the records, or those of an earlier version, cannot be read.
        """
        found = self.ended_cells(cells)
        return {cell: status for cell, status in found.items() if status in FINAL}

    def ended_cells(self, cells: Iterable[PlannedCell]) -> dict[str, Status]:
        """How those of ``cells`` ended that are finished or failed, by one look at the names.

        Raises:
            RecordError: as ``finished_cells``.
        """
        cells = list(cells)
        of_text = [cell for cell in cells if cell.kind in TEXT_KINDS]
        others = [cell for cell in cells if cell.kind not in TEXT_KINDS]
        found = self._text_records.statuses(of_text) if of_text else {}
        return found | self._records.statuses(others) if others else found

    def set_failures_aside(self, cells: Iterable[PlannedCell]) -> None:
        """Have those of ``cells`` that failed count as not run, from now on and for every worker."""
        cells = list(cells)
        self._records.set_failures_aside(cell for cell in cells if cell.kind not in TEXT_KINDS)
        self._text_records.set_failures_aside(cell for cell in cells if cell.kind in TEXT_KINDS)

    def pack_records(self) -> int:
        """Pack records by the thousand, where there are as many; returns how many were packed."""
        return self._records.pack()

    def where(self, cell: PlannedCell) -> str:
        """How to tell a user where the record of a cell is."""
        return self._files_of(cell).where(cell)

    def where_records(self, kind: CellKind) -> str:
        """How to tell a user where the records of one kind are."""
        return self.store.where(f"{RECORDS}/{kind}")

    def _files_of(self, cell: PlannedCell | AnyRecord) -> RecordFiles:
        return self._text_records if cell.kind in TEXT_KINDS else self._records
