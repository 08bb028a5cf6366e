"""What the work of every kind of cell shares: how its record is put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pydantic import ValidationError

from objbench.contract.composition import Composition
from objbench.plugins.source_digest import source_digest
from objbench.results.plan import PlannedCell
from objbench.results.provenance import provenance
from objbench.results.records import AnyRecord, EvaluationRecord, Plugin, Provenance
from objbench.runs.cells.run_context import RunContext
from objbench.runs.cells.storable import require_storable, unlike_a_record
from objbench.runs.processes import processes


class CellWork(ABC):
    """What one kind of cell does.

    Args:
        context: the planned study.
        kind: the record that a cell of this kind leaves.
    """

    def __init__(self, context: RunContext, kind: type[AnyRecord]) -> None:
        self.context = context
        self.prepared = context.prepared
        self._kind = kind

    @abstractmethod
    def do(self, cell: PlannedCell, started: str) -> AnyRecord:
        """The cell's record.

        Args:
            cell: the cell to run.
            started: when it was started.
        """

    @abstractmethod
    def plugin(self, cell: PlannedCell) -> type[Any] | Composition:
        """The objective or suite that the cell runs."""

    @abstractmethod
    def fields(self, cell: PlannedCell) -> dict[str, Any]:
        """What a record of this kind holds whatever comes out, beside what all records hold."""

    def record(self, cell: PlannedCell, started: str, **outcome: Any) -> AnyRecord:
        """The record of a cell that ends now.

        Args:
            cell: the cell.
            started: when it was started.
            outcome: its status, and what depends on how it ended.

        Raises:
            PluginError: the plugin returned what a record cannot hold.
        """
        name = cell.suite or cell.objective
        origin = self.prepared.registry.origin(name)
        plugin = Plugin(
            name=name,
            project=origin.project,
            version=origin.version,
            source=source_digest(self.plugin(cell)),
        )
        require_storable(plugin, outcome)
        fields = self.fields(cell)
        try:
            return self._kind(
                id=cell.id,
                key=cell.key,
                objective=cell.objective,
                seed=cell.seed,
                plugin=plugin,
                provenance=self._provenance(started),
                **fields,
                **outcome,
            )
        except ValidationError as error:
            raise unlike_a_record(plugin, error) from error

    def copied(self, record: EvaluationRecord, cell: PlannedCell, started: str) -> EvaluationRecord:
        """The record of ``cell``, whose result is that of another cell; it ends now."""
        made = {"id": cell.id, "key": cell.key, "objective": cell.objective}
        return record.model_copy(update={**made, "provenance": self._provenance(started)})

    def _provenance(self, started: str) -> Provenance:
        return provenance(self.prepared.command, self.prepared.device, processes(), started)

    def remove_leftovers(  # noqa: B027 - most kinds leave nothing
        self, cell: PlannedCell, record: AnyRecord
    ) -> None:
        """Remove what is of no more use once the record is stored, if there is anything."""
