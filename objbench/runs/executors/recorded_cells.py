"""Which cells of a plan have got their records, whoever ran them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from objbench.results.plan import PlannedCell
from objbench.results.records import AnyRecord, Status
from objbench.results.run_folder import RunFolder


class RecordedCells:
    """Watches the records of a run folder; every record is read once.

    Args:
        folder: the run folder.
        cells: of the plan.
        finished: those whose records are known already.
    """

    def __init__(
        self, folder: RunFolder, cells: Sequence[PlannedCell], finished: Mapping[str, Status]
    ) -> None:
        self._folder = folder
        self._left = {cell.id: cell for cell in cells if cell.id not in finished}

    def is_left(self, cell: str) -> bool:
        """Whether no record of a cell has been seen."""
        return cell in self._left

    def note(self, cell: str) -> None:
        """Note that the record of a cell is known already."""
        self._left.pop(cell, None)

    def new(self) -> Iterator[tuple[PlannedCell, AnyRecord]]:
        """The cells that have got a record since the last time, each with it.

        Raises:
            RecordError: a record cannot be read.
        """
        ended = self._folder.ended_cells(self._left.values())
        for cell in [self._left[name] for name in ended]:
            if (record := self._folder.read_record(cell)) is not None:
                del self._left[cell.id]
                yield cell, record
