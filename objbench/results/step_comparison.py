"""What an optimizer step of each objective costs: measured once per study, stored in one file.

``engine.measuring.step_comparison`` measures it; the leaderboard reads it from here, without torch.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from objbench.results.foreign_values import Count, Key, Label, Name, Spend
from objbench.results.json_files import SCHEMA_VERSION, SchemaVersion, Stored
from objbench.results.records import Provenance


class ComparedStep(Stored):
    """One objective's optimizer step.

    Attributes:
        objective: its name.
        seconds: the median over the repetitions, fetching the batch included.
        shortest, longest: the range over the repetitions, in seconds.
        flops: by the convention of ``engine.training.flops``, forward and backward.
        peak_memory: bytes; ``memory_kind`` says of what.
    """

    objective: Name
    seconds: Spend
    shortest: Spend
    longest: Spend
    flops: Spend
    peak_memory: Count
    memory_kind: Label


class StepComparison(Stored):
    """The steps of a study's objectives, measured side by side.

    Attributes:
        baseline: whose step the others are compared with.
        objectives: in the order of the study.
        repetitions: how many steps of each were timed.
        cost_keys: objective -> key of what was measured; see ``runs.cells.step_costs.cost_key``.
        provenance: where and with what.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    baseline: Name
    objectives: tuple[ComparedStep, ...]
    repetitions: Count
    cost_keys: dict[Name, Key]
    provenance: Provenance

    @model_validator(mode="after")
    def _has_its_baseline(self) -> Self:
        if self.baseline not in [step.objective for step in self.objectives]:
            raise ValueError(f"the baseline {self.baseline!r} is not among the objectives")
        return self

    def of(self, objective: str) -> ComparedStep:
        """The step of one objective.

        Raises:
            KeyError: it was not measured.
        """
        for step in self.objectives:
            if step.objective == objective:
                return step
        raise KeyError(objective)
