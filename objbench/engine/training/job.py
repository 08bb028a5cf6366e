"""The input and the outcome of one pretraining."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from transformers import PreTrainedTokenizerFast

from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import Vocabulary
from objbench.data.heldout_split import HeldoutPart
from objbench.data.packed_sequences import PackedSequences
from objbench.results.records import Cost, Status
from objbench.results.reference_lines import ReferenceLines
from objbench.results.training_log import LogLine
from objbench.results.training_points import ExportedPoint, LoggedPoint, Meters
from objbench.study.settings import EncoderSection, TrainingSection

Report = Callable[[int, int, str], None]
"""Called at log points with (steps done, steps in all, a few words on loss and speed)."""


class LineLog(Protocol):
    """What receives the lines of a run's log, such as ``results.training_log.TrainingLog``."""

    def begin(self, done: int, total: int) -> None:
        """The run begins, or continues from a checkpoint: forget all lines after ``done`` steps."""

    def add(self, line: LogLine) -> None:
        """Take a line; training waits for it."""

    def sync(self) -> None:
        """A checkpoint is about to be kept, from which a run may continue: lose nothing from now."""


Kept = Callable[[Path, Sequence[ExportedPoint]], None]
"""Called with the folder of every checkpoint once it is stored, and the points exported before it."""


def _only_here(checkpoint: Path, points: Sequence[ExportedPoint]) -> None:
    """Keep a checkpoint in its folder alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainJob:
    """One objective, to be pretrained with one seed.

    Attributes:
        objective: the class or composition, not yet built.
        config: an instance of its ``Config``.
        encoder: model type and configuration.
        training: the optimisation; ``batch`` is over all processes.
        length: T, tokens of a sequence.
        seed: the pretraining seed.
        steps: optimizer steps to take; the learning rate reaches its end with them.
        export_steps: numbers of steps after which the encoder is scored and exported.
        heldout_batches: held-out batches scored at every export.
        heldout_part: which half of the held-out text is scored; "tuning" for a trial.
        train, heldout: the sequences.
        vocabulary: the tokenizer's, for the objective.
        tokenizer: exported with the encoder.
        run: the run folder, to which exported points are relative.
        encoders: folder under ``run`` that receives ``step-<n>``.
        checkpoints: folder for checkpoints, for this cell alone.
        kept: takes the checkpoints to where another machine finds them; called in another thread than
            the training, which goes on meanwhile. What it raises ends the run.
        teachers: name of an objective -> the folder of its exported encoder, for an objective that
            learns from others. For one that is not named a fresh encoder is used, which is enough
            to count and time steps.
        key: the cell's key; a checkpoint of another key is refused.
        lines: the losses that counts alone reach on the held-out text, for the warning that a run is
            stuck; None where they were not measured.
        device: "cpu", or a torch device of an accelerator; under ``accelerate launch`` every
            process takes its own.
    """

    objective: ObjectiveClass
    config: Any
    encoder: EncoderSection
    training: TrainingSection
    length: int
    seed: int
    steps: int
    train: PackedSequences
    heldout: PackedSequences
    vocabulary: Vocabulary
    tokenizer: PreTrainedTokenizerFast
    run: Path
    encoders: str
    checkpoints: Path
    key: str
    kept: Kept = _only_here
    teachers: Mapping[str, Path] = field(default_factory=dict)
    export_steps: tuple[int, ...] = ()
    heldout_batches: int = 16
    heldout_part: HeldoutPart = "reported"
    lines: ReferenceLines | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainOutcome:
    """How a pretraining ended; the same on every process.

    Attributes:
        status: "ok", or "diverged" if a loss or gradient was not finite.
        reason: "" or which term, at which step.
        log: the training log; each point is the mean since the one before.
        points: exported encoders with their held-out losses.
        cost: parameters, FLOPs, speed and memory.
        reached: what a run that diverged had spent, up to its last good step; None for one that is ok.
    """

    status: Status
    reason: str
    cost: Cost
    reached: Meters | None = None
    log: list[LoggedPoint] = field(default_factory=list)
    points: list[ExportedPoint] = field(default_factory=list)
