"""The settings of a planned study that pages and verdicts depend on; the others are only shown.

A plan holds every setting as its study file had it, under the names of its time. What is read of
them is read here, and nowhere else, so that no other code has to expect what somebody else wrote.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from objbench.results.foreign_values import Count, KeyOrNone, Label, Text
from objbench.results.json_files import fault


class _Settings(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class PlannedEncoder(_Settings):
    """The encoder.

    Attributes:
        model_type: its family; "" where it is not known.
        init: the checkpoint that every run continues from; "" for random initial weights.
        init_digest: its SHA-256 in hex, or "".
    """

    model_type: Label = ""
    init: Text = ""
    init_digest: KeyOrNone = ""


class PlannedData(_Settings):
    """The text; ``corpus`` and ``tokenizer`` are "" where they are not known."""

    corpus: Text = ""
    tokenizer: Text = ""


class PlannedTraining(_Settings):
    """How encoders are trained.

    Attributes:
        schedule: of the learning rate; "" where it is not known.
        warmup: share of the budget over which the rate rises.
        cooldown: steps of a branch of the schedule "trunk", as a share of the trunk's steps so far.
        batch: sequences per step; None where it is not known.
        micro_batches: the parts that a batch is computed in.
    """

    schedule: Label = ""
    warmup: float = Field(default=0.0, strict=True, ge=0, lt=1)
    cooldown: float = Field(default=0.0, strict=True, ge=0, le=1)
    batch: Count | None = None
    micro_batches: int = Field(default=1, strict=True, ge=1, le=10**6)

    @property
    def unfinished(self) -> str:
        """The schedule, where it leaves the points before the last unfinished; "" elsewhere.

        On a "trunk" every point is finished by a cooldown of its own.
        """
        return "" if self.schedule == "trunk" else self.schedule


class PlannedEvaluation(_Settings):
    """How encoders are evaluated; ``heldout_batches`` is None where it is not known."""

    heldout_batches: Count | None = None


Grid = dict[Label, Any]


class PlannedTuning(_Settings):
    """How settings were chosen.

    Attributes:
        score: what chose: a term of the held-out loss, or a suite.
        budget: of a trial; None for that of the study.
        grid, objectives: what was tried, for all objectives and for some of them: place -> values.
    """

    score: Label = "loss"
    budget: Label | None = None
    grid: Grid = Field(default_factory=dict)
    objectives: dict[Label, Grid] = Field(default_factory=dict)


class PlannedStudy(_Settings):
    """What is read of a plan's ``study``."""

    preset: Label | None = None
    seeds: tuple[Count, ...] = ()
    encoder: PlannedEncoder = PlannedEncoder()
    data: PlannedData = PlannedData()
    training: PlannedTraining = PlannedTraining()
    evaluation: PlannedEvaluation = PlannedEvaluation()
    tuning: PlannedTuning | None = None


def require_readable(study: dict[str, Any]) -> dict[str, Any]:
    """``study`` as it is, where what is read of it can be read.

    Raises:
        ValueError: a setting is not what it may be; the first is named.
    """
    try:
        PlannedStudy.model_validate(study)
    except ValidationError as error:
        raise ValueError(fault(error)) from error
    return study
