"""What a step of each objective takes, part by part: measured once a study, stored in one file.

``engine.overhead`` measures it and says where the parts begin and end; the leaderboard reads it
from here, without torch.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from objbench.results.json_files import SCHEMA_VERSION, Stored
from objbench.results.records import Provenance

PARTS = ("corruption", "encoder", "heads_and_loss", "optimizer")
"""The parts of a step in their order: the fields of ``StepOverhead`` that hold them."""


class PartCost(Stored):
    """What one part of an optimizer step takes, or all of it.

    Attributes:
        seconds: the median over the repetitions.
        shortest, longest: the range over the repetitions, in seconds.
        flops: by the convention of ``engine.flops``, forward and backward.
    """

    seconds: float = Field(ge=0)
    shortest: float = Field(ge=0)
    longest: float = Field(ge=0)
    flops: float = Field(ge=0)


class StepOverhead(Stored):
    """One objective's optimizer step.

    Attributes:
        objective: its name.
        corruption, encoder, heads_and_loss, optimizer: its parts, each timed by itself.
        whole_step: all of it, timed in one go and fetching its batch too, so that the parts'
            seconds add up to about it only; their FLOPs add up to its exactly.
        peak_memory: bytes; ``memory_kind`` says of what.
    """

    objective: str
    corruption: PartCost
    encoder: PartCost
    heads_and_loss: PartCost
    optimizer: PartCost
    whole_step: PartCost
    peak_memory: int = Field(ge=0)
    memory_kind: str

    def part(self, name: str) -> PartCost:
        """One of PARTS, or "whole_step"."""
        cost: PartCost = getattr(self, name)
        return cost

    def share(self, name: str) -> float:
        """A part's seconds as a share of the seconds of all parts; 0 where none took time."""
        together = sum(self.part(part).seconds for part in PARTS)
        return self.part(name).seconds / together if together else 0.0


class MatmulPeak(Stored):
    """What the device gives a matrix product.

    Attributes:
        flops_per_second: 2 a multiply-add, of the fastest of several.
        precision: of the matrices, as in a study: "fp32", "bf16" or "fp16".
        size: n of the n x n matrices.
    """

    flops_per_second: float = Field(gt=0)
    precision: str
    size: int = Field(ge=1)


class Overhead(Stored):
    """The steps of a study's objectives, measured side by side.

    Attributes:
        baseline: whose step the others are compared with.
        objectives: in the order of the study.
        repetitions: how often each part of each step was timed.
        cost_keys: objective -> key of what was measured; see ``step_costs.cost_key``.
        provenance: where and with what.
        peak: what the same device gives a matrix product, in the baseline's precision; None in
            records of before it was measured.
    """

    schema_version: int = SCHEMA_VERSION
    baseline: str
    objectives: tuple[StepOverhead, ...]
    repetitions: int
    cost_keys: dict[str, str]
    provenance: Provenance
    peak: MatmulPeak | None = None

    @model_validator(mode="after")
    def _has_its_baseline(self) -> Self:
        if self.baseline not in [step.objective for step in self.objectives]:
            raise ValueError(f"the baseline {self.baseline!r} is not among the objectives")
        return self

    def of(self, objective: str) -> StepOverhead:
        """The step of one objective.

        Raises:
            KeyError: it was not measured.
        """
        for step in self.objectives:
            if step.objective == objective:
                return step
        raise KeyError(objective)

    def utilisation(self, objective: str) -> float | None:
        """The FLOPs of a whole step over those that the peak allows in its time; None unknown.

        Model FLOPs utilisation as in Chowdhery et al. 2022 (arXiv:2204.02311, appendix B), with
        the measured peak in place of the maker's.

        Raises:
            KeyError: the objective was not measured.
        """
        whole = self.of(objective).whole_step
        if self.peak is None or not whole.seconds:
            return None
        return whole.flops / whole.seconds / self.peak.flops_per_second
