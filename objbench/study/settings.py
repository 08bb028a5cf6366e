"""The sections of a study: encoder, data, training with its optimizer, and evaluation."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from objbench.results.declared_looks import require_looks
from objbench.results.evaluation_points import Spacing
from objbench.study.budget import parse_budget
from objbench.study.choices import MOST, MOST_LENGTH, Precision, Schedule


def _no_repeats(listed: tuple[Any, ...]) -> tuple[Any, ...]:
    known = set()
    for item in listed:
        own = item if isinstance(item, str | int | float) else repr(item)  # a list has no hash
        if own in known:
            raise ValueError(f"{item} is listed twice")
        known.add(own)
    return listed


def _is_none(value: object) -> bool:
    return value is None


def _is_false(value: object) -> bool:
    return value is False


def _readable(budget: str) -> str:
    parse_budget(budget)
    return budget.strip()


Names = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_no_repeats)]
Seed = Annotated[int, Field(strict=True, ge=0, le=10**18)]
"""As large as a stored plan may have it."""

Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_no_repeats)]
Values = Annotated[tuple[Any, ...], Field(min_length=1), AfterValidator(_no_repeats)]
Count = Annotated[int, Field(strict=True, ge=1, le=MOST)]
Looks = Annotated[tuple[Count, ...], AfterValidator(require_looks)]
"""Numbers of seeds, rising; see ``results.declared_looks``."""

BudgetText = Annotated[str, AfterValidator(_readable)]
"""A budget as it is written, such as "100k-steps"; see ``budget.parse_budget``."""


class Section(BaseModel):
    """A strict, immutable part of a study."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class EncoderSection(Section):
    """The encoder: a Hugging Face model type and the fields of its configuration.

    A study may also give ``width``, ``layers`` and ``heads`` here, whatever the model type; they
    are stored in ``config``, see ``encoder_size``.

    Attributes:
        model_type: as in ``transformers.AutoConfig``, such as "bert".
        config: its configuration; vocabulary size and special tokens are set from the tokenizer.
        init: the checkpoint that every run continues from, a local folder or a name on the hub; None
            for runs that start from random weights. Its own configuration is then the encoder's.
        init_digest: the SHA-256 of that checkpoint in hex, as ``checkpoint_source`` makes it; the
            command line fills it in, and a checkpoint of another digest is refused.
    """

    model_type: str = "bert"
    config: dict[str, Any] = Field(default_factory=dict)
    init: str | None = Field(default=None, min_length=1, exclude_if=_is_none)
    init_digest: str | None = Field(default=None, pattern="^[0-9a-f]{64}$", exclude_if=_is_none)

    @property
    def identity(self) -> dict[str, Any]:
        """All of it that numbers depend on, for keys: a checkpoint by its digest, wherever it is."""
        return self.model_dump(mode="json", exclude={"init"})

    @field_validator("config")
    @classmethod
    def _storable(cls, config: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(config, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError("numbers must be finite, and no value a date or a time") from error
        return config

    @model_validator(mode="after")
    def _has_whole_checkpoint(self) -> EncoderSection:
        if (self.init is None) != (self.init_digest is None):
            raise ValueError("init, a checkpoint, and init_digest, its digest, belong together")
        if self.init is not None and self.config:
            raise ValueError("config is the checkpoint's own: leave it out with init")
        return self


class DataSection(Section):
    """The text and how it is cut into sequences.

    Attributes:
        corpus: "toy", a file, folder or glob, or "hf:NAME[:CONFIG][:COLUMN]".
        tokenizer: "train:SIZE", a local folder, or a name on the hub.
        length: T, tokens per sequence; at most a million, as attention is of T^2.
    """

    corpus: str = "toy"
    tokenizer: str = "train:8192"
    length: int = Field(default=128, ge=2, le=MOST_LENGTH)


ParameterGroup = Literal["matrices", "embeddings", "heads", "vectors"]
"""Groups of parameters; ``engine.training.parameter_groups`` says which are in each."""


class GroupSettings(Section):
    """What an optimizer does differently for one group of parameters.

    Attributes:
        rate: factor of the learning rate.
        weight_decay: in place of the optimizer's; None for that.
    """

    rate: float = Field(default=1.0, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)


class OptimizerSettings(Section):
    """The optimizer and its options.

    Attributes:
        name: "adamw"; or "muon" for the hidden matrices of the encoder (weights of exactly two
            dimensions that are no embeddings), with AdamW for the rest: embeddings, heads, biases of
            any shape, kernels of convolutions. See ``engine.training.optimizer``.
        weight_decay: on parameters of two or more dimensions, not on biases and layer normalisation
            of one.
        beta1, beta2: of AdamW: decay rates of the first and second moment.
        epsilon: of AdamW: added to the root of the second moment. The default is torch's and
            transformers'; Google's BERT and ELECTRA code (``optimization.py`` of both) has 1e-6,
            and no correction of the moments' bias, which here there is.
            ``[training.optimizer] epsilon = 1e-6`` sets theirs.
        momentum: of Muon: decay rate of its one moment, by Nesterov's rule.
        newton_schulz_steps: of Muon: steps of the iteration that orthogonalises an update.
        groups: group of parameters -> its own settings, as in
            ``[training.optimizer.groups.embeddings]``.
    """

    name: Literal["adamw", "muon"] = "adamw"
    weight_decay: float = Field(default=0.01, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    newton_schulz_steps: int = Field(default=5, ge=1, lt=100)
    groups: dict[ParameterGroup, GroupSettings] = Field(default_factory=dict)

    def of_group(self, name: ParameterGroup) -> GroupSettings:
        """The settings of a group, with its weight decay filled in."""
        own = self.groups.get(name, GroupSettings())
        if own.weight_decay is not None:
            return own
        decay = 0.0 if name == "vectors" else self.weight_decay
        return own.model_copy(update={"weight_decay": decay})

    @model_validator(mode="after")
    def _has_its_own_options(self) -> OptimizerSettings:
        of_muon = {"momentum", "newton_schulz_steps"} & self.model_fields_set
        changed = [name for name in sorted(of_muon) if getattr(self, name) != self._default(name)]
        if self.name != "muon" and changed:
            raise ValueError(f"{changed[0]} is an option of muon, not of {self.name}")
        return self

    @classmethod
    def _default(cls, name: str) -> Any:
        return cls.model_fields[name].default


WITHOUT_EFFECT_ON_NUMBERS = ("log_every", "checkpoint_every", "activation_checkpointing")
"""Settings of the training that change what is written down, when, and how fast: no number that is
computed. They are in no cell's key, and may change while a study runs."""


class TrainingSection(Section):
    """How encoders are trained, the same for every objective.

    The learning rate is set here and not with the optimizer: it is the peak of the schedule, which
    scales it at every step whatever the optimizer. So is the gradient clipping, which comes first.

    Attributes:
        batch: sequences per optimizer step, over all processes.
        micro_batches: equal parts that the batch is computed in to save memory; loss and gradient
            are those of the whole batch (see ``engine.training.parts``), but for terms that compare
            sequences, which see one part at a time, and for the dropout of the encoder.
        learning_rate: peak learning rate.
        schedule: "linear" decay to zero; "constant" with a linear decay at the end; or "trunk",
            constant with a cooldown branch for every evaluation point, so that every point is a
            finished model; see ``engine.training.schedule``.
        warmup: share of the budget over which the rate rises linearly from zero; on a "trunk" that
            of the whole budget, and for a point within it that of its own length.
        decay: share of the budget over which "constant" falls to zero at the end.
        cooldown: steps of a branch of "trunk", as a share of the trunk's steps so far.
        optimizer: the optimizer and its options.
        clip: largest gradient norm; 0 for no clipping.
        precision: number format of activations and gradients.
        compile: compile the encoder with ``torch.compile``.
        activation_checkpointing: compute every layer's forward pass again in the backward pass
            instead of keeping what it computed: less memory, about a third more time, the same
            numbers. FLOPs are counted without that second pass.
        log_every: steps between two points of the training log.
        checkpoint_every: seconds between two checkpoints, or more where they would cost more than 1% of
            the time; 0 for one after every step, whatever it costs.
    """

    batch: Count = 32
    micro_batches: Count = 1
    learning_rate: float = Field(default=1e-4, gt=0)
    schedule: Schedule = "linear"
    warmup: float = Field(default=0.01, ge=0, lt=1)
    decay: float = Field(default=0.1, ge=0, lt=1)
    cooldown: float = Field(default=0.1, gt=0, le=1)
    optimizer: OptimizerSettings = OptimizerSettings()
    clip: float = Field(default=1.0, ge=0)
    precision: Precision = "fp32"
    compile: bool = False
    activation_checkpointing: bool = Field(default=False, exclude_if=_is_false)
    log_every: Count = 50
    checkpoint_every: float = Field(default=60.0, ge=0)

    @model_validator(mode="after")
    def _divides(self) -> TrainingSection:
        if self.batch % self.micro_batches:
            raise ValueError(
                f"micro_batches = {self.micro_batches} does not divide batch = {self.batch}"
            )
        return self

    @model_validator(mode="after")
    def _recomputes_what_it_did_not_compile(self) -> TrainingSection:
        if self.compile and self.activation_checkpointing:
            raise ValueError(
                "activation_checkpointing does not go with compile, which chooses itself what it "
                "computes again: leave one of them out"
            )
        return self


class EvaluationSection(Section):
    """What is measured, and when.

    Attributes:
        suites: names of suites and curve suites.
        points: number of points of the budget at which encoders are exported, the last at its end.
        spacing: how these points are spaced over the budget, "equal" or "geometric"; large
            speedups can only be measured with early points, as "geometric" has.
        max_train_samples: fine-tune on at most this many examples per task; None for all.
        heldout_batches: batches of held-out text scored at every point.
    """

    suites: tuple[str, ...] = ()
    points: Count = 5
    spacing: Spacing = "equal"
    max_train_samples: Count | None = None
    heldout_batches: Count = 16
