"""What a run has measured beside its cells: the costs of steps, and what counts alone reach."""

from __future__ import annotations

from pydantic import TypeAdapter

from objbench.errors import RecordError
from objbench.results.json_files import keep_in, read_from, read_if_there, write_to
from objbench.results.reference_lines import ReferenceLines
from objbench.results.step_comparison import StepComparison
from objbench.results.step_cost import KEPT_COST, KeptCost, StepCost
from objbench.results.store import Store

_COSTS = "costs"
_COMPARISON = "overhead.json"
_LINES = "lines.json"
_COMPARISONS = TypeAdapter(StepComparison)
_REFERENCE_LINES = TypeAdapter(ReferenceLines)


class RunMeasurements:
    """The measurements of a run.

    Attributes:
        store: where they are kept.
    """

    store: Store

    def has_costs(self) -> bool:
        """Whether the cost of a step was measured here: every run does, no published study has."""
        return bool(self.store.list(_COSTS))

    def has_cost(self, objective: str, key: str) -> bool:
        """Whether the cost of a step of an objective was measured; ``key`` is of all it depends on."""
        return self.store.exists(_cost_name(objective, key))

    def read_cost(self, objective: str, key: str) -> StepCost:
        """What a step of an objective costs.

        Raises:
            RecordError: it has not been measured, cannot be read, or is that of something else.
        """
        name = _cost_name(objective, key)
        kept = read_from(self.store, name, KEPT_COST)
        if (kept.objective or objective, kept.key or key) != (objective, key):
            raise RecordError(
                f"{self.store.where(name)} is the cost of another step, of {kept.objective}: delete it "
                "and run the study again"
            )
        return StepCost(**{field: getattr(kept, field) for field in StepCost.model_fields})

    def write_cost(self, objective: str, key: str, cost: StepCost) -> None:
        """Store what a step of an objective costs."""
        kept = KeptCost(**dict(cost), objective=objective, key=key)
        write_to(self.store, _cost_name(objective, key), kept)

    def read_step_comparison(self) -> StepComparison | None:
        """The comparison of the objectives' steps; None where nothing was measured.

        Raises:
            RecordError: it cannot be read.
        """
        return read_if_there(self.store, _COMPARISON, _COMPARISONS)

    def write_step_comparison(self, comparison: StepComparison | None) -> None:
        """Store the comparison of the objectives' steps; remove it where it is None."""
        keep_in(self.store, _COMPARISON, comparison)

    def read_reference_lines(self) -> ReferenceLines | None:
        """The losses that counts alone reach; None where they were not measured.

        Raises:
            RecordError: the file cannot be read.
        """
        return read_if_there(self.store, _LINES, _REFERENCE_LINES)

    def write_reference_lines(self, lines: ReferenceLines | None) -> None:
        """Store the losses that counts alone reach; remove the file where they are None."""
        keep_in(self.store, _LINES, lines)


def _cost_name(objective: str, key: str) -> str:
    return f"{_COSTS}/{objective}.{key[:12]}.json"
