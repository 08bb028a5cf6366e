"""The plan of a study: which cells there should be, and what the leaderboard knows of them.

Written to ``plan.json`` before the first cell runs. A record whose key is not in the plan is
stale: its code, data or settings have changed since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from objbench.contract.meters import Axis
from objbench.contract.suite import Average, Direction
from objbench.errors import one_line
from objbench.results.agreement import misfits
from objbench.results.foreign_values import (
    Count,
    Fields,
    Key,
    Label,
    Name,
    NameOrNone,
    Positive,
    Share,
    Steps,
    StoredColumn,
    Text,
)
from objbench.results.json_files import SCHEMA_VERSION, SchemaVersion, Stored
from objbench.results.phase_costs import PhaseCosts
from objbench.results.planned_study import PlannedStudy, PlannedTraining, require_readable
from objbench.results.realised_rate import RealisedRate

CellKind = Literal[
    "tokenizer",
    "tokens",
    "cache",
    "trial",
    "trial_evaluation",
    "pretrain",
    "evaluation",
    "floor",
    "curve",
]

# Cells that make the text: they are planned and recorded apart, see ``text_plan``.
TEXT_KINDS = ("tokenizer", "tokens", "cache")

# Cells that only choose settings: nothing of theirs is reported as a result.
TUNING_KINDS = ("trial", "trial_evaluation")


class PlannedCell(Stored):
    """One cell of the plan.

    Attributes:
        id: readable and unique within the plan, such as "glue.cola.taco.seed-1.step-2400.ft-0".
        key: hash of all that determines the cell's result.
        share: share of the budget at which the evaluated encoder was exported; 1 for the final.
        needs: ids of the cells it reads.
        settings: of a trial: what it tries; of "tokens": which share of how many it makes.
        floor: of a floor: what is scored in place of a pretrained encoder. Its objective and seed
            are those of the initial weights; its step and share are 0.
    """

    id: Name
    kind: CellKind
    key: Key
    objective: Name
    seed: Count
    suite: NameOrNone = ""
    task: NameOrNone = ""
    finetune_seed: Count = 0
    step: Steps = 0
    share: Share = 1.0
    needs: tuple[Name, ...] = ()
    settings: Fields = Field(default_factory=dict)
    floor: NameOrNone = ""


class PlannedSuite(Stored):
    """A suite as the leaderboard needs to know it.

    Attributes:
        follows: the suite a curve suite follows; "" for an evaluating suite.
        seeds_per_point: fine-tuning seeds of a curve's points; 0 for an evaluating suite.
        average_label, average_groups, direction: see ``average``.
    """

    name: Name
    summary: Text
    version: Count
    protocol: Text
    columns: tuple[StoredColumn, ...]
    average_label: Label = ""
    average_groups: tuple[tuple[Label, ...], ...] = ()
    direction: Direction = "max"
    seeds: tuple[Count, ...] = ()
    missing: dict[Label, Text] = Field(default_factory=dict)
    follows: NameOrNone = ""
    seeds_per_point: Count = 0

    @property
    def average(self) -> Average:
        """How the columns become the suite's one score."""
        return Average(self.average_label, self.average_groups, self.direction)


class PlannedObjective(Stored):
    """An objective's share of the budget, frozen to a number of steps.

    Attributes:
        steps: optimizer steps it may take.
        flops_per_step: counted on the real step, as the mean over its kinds of batches.
        tokens_per_step: non-padding tokens of a batch.
        seconds_per_step: calibrated once; None where no time enters the budget.
        options: its hyperparameters in full.
        overrides: settings of its own by their dotted place, tuned or given.
        teachers: the objectives whose final encoders it learns from; what these took to pretrain
            is no part of its budget.
        rate: the share of the tokens that it predicts, counted on the study's text; None where
            none is declared.
        across_sequences: why its loss depends on other sequences of the batch; "" if it does not.
        phases: what a step costs in each phase of the budget; empty where there are none.
    """

    name: Name
    summary: Text
    reference: Text
    steps: Steps
    flops_per_step: Positive
    tokens_per_step: Annotated[int, Field(strict=True, gt=0, le=10**18)]
    seconds_per_step: Positive | None
    options: Fields
    overrides: Fields = Field(default_factory=dict)
    teachers: tuple[Name, ...] = ()
    # Plans of before these were known are written as they were.
    rate: RealisedRate | None = Field(default=None, exclude_if=lambda rate: rate is None)
    across_sequences: Text = Field(default="", exclude_if=lambda why: not why)
    phases: PhaseCosts = Field(default=(), exclude_if=lambda phases: not phases)

    @property
    def encoder_overrides(self) -> dict[str, Any]:
        """Its own settings of the encoder: with the same, initial weights are the same at a seed."""
        return encoder_settings(self.overrides)


class Plan(Stored):
    """A study as planned: written before the first cell runs.

    Attributes:
        study: every setting of the study (see ``study.Study``).
        data: fingerprints and sizes of the corpus and tokenizer.
        baseline: the objective that sets the budget, the first named.
        declared: the pretraining seeds as they were declared, one row for each time that some
            were added; seeds are never taken away.
        looks: after how many seeds a verdict was declared to be read, rising; empty where nothing
            was declared.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    name: Label
    command: Text
    engine_version: Count
    study: Annotated[Fields, AfterValidator(require_readable)]
    data: Fields
    baseline: Name
    budget: Label
    equalize: Axis
    objectives: tuple[PlannedObjective, ...]
    suites: tuple[PlannedSuite, ...]
    declared: tuple[tuple[Count, ...], ...] = ()
    looks: tuple[Count, ...] = Field(default=(), exclude_if=lambda looks: not looks)
    cells: tuple[PlannedCell, ...]

    @property
    def asked(self) -> PlannedStudy:
        """The settings of ``study`` that something depends on."""
        return PlannedStudy.model_validate(self.study)

    @property
    def preset(self) -> str:
        """The preset that the study began from; "" where it had none."""
        return self.asked.preset or ""

    @property
    def corpus(self) -> str:
        """The text that was trained on, as the study names it; "" where it does not."""
        return self.asked.data.corpus

    @property
    def model_type(self) -> str:
        """The kind of encoder, such as "modernbert"; "" where the study does not name it."""
        return self.asked.encoder.model_type

    @property
    def checkpoint(self) -> str:
        """What every run continues from, such as "org/model (SHA-256 0123456789ab...)"; "" if nothing.

        Of a path the last two parts.
        """
        encoder = self.asked.encoder
        if not encoder.init:
            return ""
        name = "/".join([part for part in one_line(encoder.init).split("/") if part][-2:])[:60]
        return f"{name} (SHA-256 {encoder.init_digest[:12]}...)"

    @property
    def training(self) -> PlannedTraining:
        """How encoders are trained, as far as a page depends on it."""
        return self.asked.training

    @property
    def parts_sentence(self) -> str:
        """Which objectives see less of a batch at a time than it has; "" if none does."""
        parts = self.training.micro_batches
        return parts_sentence(parts, {o.name: o.across_sequences for o in self.objectives})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for fault in misfits(self):
            raise ValueError(fault)
        return self

    @property
    def is_to_be_continued(self) -> bool:
        """Whether another plan of the study follows: this one has only trials so far."""
        return self.asked.tuning is not None and all(
            cell.kind in TUNING_KINDS for cell in self.cells
        )

    def only_trials(self) -> Plan:
        """The plan while its settings are still being chosen: nothing else can be run yet."""
        trials = tuple(cell for cell in self.cells if cell.kind in TUNING_KINDS)
        return self.model_copy(update={"cells": trials})


def encoder_settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``overrides``, settings by their dotted place, that are of the encoder."""
    return {place: value for place, value in overrides.items() if place.startswith("encoder.")}


def parts_sentence(parts: int, reasons: Mapping[str, str]) -> str:
    """Which objectives see less of a batch at a time than it has, in one sentence; "" if none does.

    Args:
        parts: the parts that a batch is computed in.
        reasons: objective -> why its loss depends on other sequences of the batch, or "".
    """
    named = [f"{name} ({reason})" for name, reason in reasons.items() if reason]
    if parts < 2 or not named:
        return ""
    return (
        f"Batches are computed in {parts} parts to save memory. What compares sequences sees one "
        f"part at a time, so its loss is not that of a whole batch: {', '.join(named)}."
    )


def tried_settings(cells: Iterable[PlannedCell], objective: str) -> list[tuple[PlannedCell, ...]]:
    """The trials of ``objective``, one row per setting in the order of its grid, one trial per tuning seed.

    Args:
        cells: among others the trials, with each seed in the order of the grid.
    """
    of_seed: dict[int, list[PlannedCell]] = {}
    for cell in cells:
        if cell.kind == "trial" and cell.objective == objective:
            of_seed.setdefault(cell.seed, []).append(cell)
    return list(zip(*of_seed.values(), strict=True))
