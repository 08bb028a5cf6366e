"""Records: what each finished cell of a study measured.

Records are the border between computing and judging. Everything the leaderboard prints is read
from them, by name and type, and from nothing else: no torch, no plugin, no registry.

A record whose key is not in the plan is stale: its code, data or settings have changed since.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from objbench.contract.meters import AXES
from objbench.results.foreign_values import (
    Count,
    Fields,
    Key,
    KeyOrNone,
    Label,
    Name,
    Scores,
    Share,
    Spend,
    Steps,
    StoredCurveValue,
    Text,
    Time,
)
from objbench.results.json_files import SCHEMA_VERSION, SchemaVersion, Stored
from objbench.results.phase_costs import PhaseCosts
from objbench.results.stored_examples import StoredExamples
from objbench.results.training_points import (
    ExportedPoint,
    KeptLog,
    LogApart,
    LoggedPoint,
    Meters,
    is_empty,
    require_order,
)

Status = Literal["ok", "failed", "diverged"]


class Origin(Stored):
    """Where and with what records were made; the same for all that one command made."""

    command: Text
    versions: dict[Label, Label]
    device: Label
    threads: Count
    processes: Count
    git_commit: Label | None


class Provenance(Origin):
    """Where, with what and when a record was made."""

    started: Time
    finished: Time

    def overlaps(self, other: Provenance) -> bool:
        """Whether the two were made at the same time, at least in part."""
        # Times of one form, in one time zone: they sort as text.
        return self.started < other.finished and other.started < self.finished


class Plugin(Stored):
    """The plugin a cell was run with."""

    name: Name
    project: Label
    version: Label
    source: KeyOrNone


class CellRecord(Stored):
    """What all records share.

    Attributes:
        made_from: what the cell read -> its SHA-256 in hex: "train" and "heldout" are the parts of
            the token cache, "encoder" and "teacher NAME" are exported encoders, "checkpoint" is what
            the run continues from. Empty for a curve, which reads records only, and in records from
            before there were digests.
        fixable: whether a failure is one that the user can fix, such as bad input.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    id: Name
    key: Key
    status: Status
    reason: Text = ""
    fixable: bool = Field(default=False, exclude_if=is_empty)
    objective: Name
    seed: Count
    provenance: Provenance
    made_from: dict[Label, Key] = Field(default_factory=dict, exclude_if=is_empty)


class Cost(Stored):
    """What pretraining an objective costs.

    Attributes:
        encoder_parameters, head_parameters: counts.
        flops_per_step: training FLOPs of one optimizer step, as the mean over its kinds of batches.
        phases: the same in each phase of the budget; empty where there are none.
        tokens_per_second: non-padding tokens per device second, all processes.
        peak_memory: bytes; ``memory_kind`` says of what.
        branch_steps, branch_seconds: spent on the cooldown branches of earlier points, beyond the
            last model's own spend; 0 unless the schedule is "trunk".
        compiled: whether ``torch.compile`` was used; what is asked for may not work there.
    """

    encoder_parameters: Count
    head_parameters: Count
    flops_per_step: Spend
    tokens_per_second: Spend
    peak_memory: Count
    memory_kind: Label
    branch_steps: Steps = 0
    branch_seconds: Spend = 0.0
    compiled: bool = Field(default=False, exclude_if=is_empty)
    phases: PhaseCosts = Field(default=(), exclude_if=is_empty)


class PretrainRecord(CellRecord):
    """One objective pretrained with one seed.

    Attributes:
        teachers: objective whose final encoder this one learned from -> key of the cell that
            pretrained it.
        reached: what a run that diverged had spent at the last step that it could take, on a cooldown
            branch if it was on one; None for others, whose last point says it, and in records from
            before it was kept.
        log: the points that are kept of its log; ``LogApart`` in a record that is stored in a run.
    """

    kind: Literal["pretrain"] = "pretrain"
    plugin: Plugin
    config: Fields
    steps: Steps
    teachers: dict[Name, Key] = Field(default_factory=dict)
    cost: Cost | None = None
    reached: Meters | None = Field(default=None, exclude_if=is_empty)
    log: KeptLog = Field(default_factory=list)
    points: list[ExportedPoint] = Field(default_factory=list)

    @property
    def logged(self) -> list[LoggedPoint]:
        """The points of its log, as far as they are not kept apart."""
        return [] if isinstance(self.log, LogApart) else self.log

    @model_validator(mode="after")
    def _spends_more_and_more(self) -> Self:
        # A point of a trunk has the seconds of its own branch, which vary more than near points do.
        require_order("points", self.points, [axis for axis in AXES if axis != "seconds"])
        return self

    @model_validator(mode="after")
    def _reaches_its_end(self) -> Self:
        # What a run spent is taken from here, whatever its points say.
        if self.reached is not None and self.status != "diverged":
            raise ValueError("what it reached is said of runs that diverged alone")
        if self.reached is not None and self.reached.steps > self.steps:
            raise ValueError(f"it reached step {self.reached.steps} of {self.steps}")
        return self


class TrialRecord(PretrainRecord):
    """One objective pretrained with one combination of its tuning grid.

    Attributes:
        settings: the settings tried.
    """

    kind: Literal["trial"] = "trial"  # type: ignore[assignment]
    settings: Fields


class EvaluationRecord(CellRecord):
    """One exported encoder evaluated on one task with one fine-tuning seed.

    Attributes:
        official_examples: "train" or column -> the official number of examples, where another
            number was used.
        unscored: column that cannot have a score -> why; the status is "ok" nevertheless.
        examples: column -> what its scores are made of, example by example. Empty for encoders of
            earlier points and of trials, and in records from before examples were stored.
    """

    kind: Literal["evaluation"] = "evaluation"
    plugin: Plugin
    suite: Name
    suite_version: Count
    protocol: Text
    task: Name
    finetune_seed: Count
    meters: Meters
    share: Share
    upstream: KeyOrNone
    max_train_samples: Count | None = None
    scores: Scores = Field(default_factory=dict)
    train_examples: Count = 0
    eval_examples: dict[Label, Count] = Field(default_factory=dict)
    official_examples: dict[Label, Count] = Field(
        default_factory=dict, exclude_if=lambda found: not found
    )
    seconds: Spend = 0.0
    details: Fields = Field(default_factory=dict)
    unscored: dict[Label, Text] = Field(default_factory=dict)
    examples: dict[Label, StoredExamples] = Field(default_factory=dict, exclude_if=is_empty)

    @model_validator(mode="after")
    def _is_of_its_examples(self) -> Self:
        for column, stored in self.examples.items():
            stored.require(self.eval_examples.get(column, 0), self.scores.get(column, {}))
        return self


class TrialEvaluationRecord(EvaluationRecord):
    """A trial's encoder evaluated on a split of the training data."""

    kind: Literal["trial_evaluation"] = "trial_evaluation"  # type: ignore[assignment]


class FloorRecord(EvaluationRecord):
    """What a task gives without any pretraining.

    Attributes:
        floor: what was scored in place of a pretrained encoder; see ``contract.suite.UNTRAINED`` and
            ``Suite.floors``.
    """

    kind: Literal["floor"] = "floor"  # type: ignore[assignment]
    floor: Name


class CurveRecord(CellRecord):
    """One objective's curve against the baseline's, for one pretraining seed."""

    kind: Literal["curve"] = "curve"
    plugin: Plugin
    suite: Name
    suite_version: Count
    follows: Name
    baseline: Name
    upstream: list[Key]
    values: dict[Label, StoredCurveValue] = Field(default_factory=dict)


class TextRecord(CellRecord):
    """A cell that made the study's text, or a share of it: it has no score, and no page shows it.

    Attributes:
        plugin: objbench itself.
        tokens: those of the share, or of the whole; of a tokenizer the words that it has.
    """

    kind: Literal["tokenizer", "tokens", "cache"]
    plugin: Plugin
    tokens: Count = 0


AnyRecord = (
    TextRecord
    | TrialRecord
    | TrialEvaluationRecord
    | PretrainRecord
    | EvaluationRecord
    | FloorRecord
    | CurveRecord
)
RECORD: TypeAdapter[AnyRecord] = TypeAdapter(Annotated[AnyRecord, Field(discriminator="kind")])
