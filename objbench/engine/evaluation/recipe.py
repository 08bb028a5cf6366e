"""The recipe of a fine-tuning run: every number that determines how an encoder is fine-tuned.

A recipe is data. It comes from a suite's protocol file, is checked here, and is the same for
every objective and task of a study; nothing about fine-tuning is decided anywhere else. No torch,
so that a plan can be made from recipes without loading it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pooling = Literal["cls", "mean", "sides"]


class Recipe(BaseModel):
    """How to fine-tune: AdamW with linear warm-up and linear decay to zero.

    Every epoch is a plain shuffle of the training examples, cut into batches.

    Attributes:
        learning_rate: peak rate.
        batch: examples of an optimizer step; an epoch's last batch may be smaller.
        epochs: passes over the training examples.
        warmup_steps: steps over which the rate rises from zero; a run that is shorter never
            reaches the peak, as with transformers' schedule.
        warmup_share: the same as a share of all steps; at most one of the two may be set.
        length: most tokens of an example, special tokens included; longer ones are cut, the
            longer sentence first.
        weight_decay: AdamW's, on matrices only (not on biases and normalisation).
        pooling: what the head reads: "cls", the first token, as BERT; "mean", the mean over the
            example's tokens, for encoders too small or young to gather a sentence in one token; or
            "sides", of a pair the means u and v of its sentences as [u, v, |u - v|, u * v], and
            "mean" of a single sentence, for encoders too small to compare two sentences
            themselves.
        dropout: of the encoder and the head while training; None leaves the encoder's own.
        clip: largest gradient norm; 0 for no clipping.
        beta1, beta2, epsilon: AdamW's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    learning_rate: float = Field(gt=0)
    batch: int = Field(ge=1)
    epochs: int = Field(ge=1)
    warmup_steps: int = Field(default=0, ge=0)
    warmup_share: float = Field(default=0.0, ge=0, lt=1)
    length: int = Field(ge=4)
    weight_decay: float = Field(default=0.0, ge=0)
    pooling: Pooling = "cls"
    dropout: float | None = Field(default=None, ge=0, lt=1)
    clip: float = Field(default=1.0, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)

    @model_validator(mode="after")
    def _one_warmup(self) -> Recipe:
        if self.warmup_steps and self.warmup_share:
            raise ValueError("set warmup_steps or warmup_share, not both")
        return self

    def steps(self, examples: int) -> int:
        """Optimizer steps of a run over ``examples`` training examples."""
        return self.epochs * -(-examples // self.batch)

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of the step numbered ``step`` (from 0) of ``steps``.

        lr(s) = peak x s / w for s < w, and peak x (n - s) / (n - w) afterwards, with w steps of
        warm-up and n steps in all: ``get_linear_schedule_with_warmup`` of transformers.
        """
        warmup = self.warmup_steps or round(self.warmup_share * steps)
        if step < warmup:
            return self.learning_rate * step / warmup
        return self.learning_rate * max(0, steps - step) / max(1, steps - warmup)

    def describe(self) -> str:
        """One line with the numbers that a reader of a leaderboard looks for."""
        warmup = f"{self.warmup_steps} steps" if self.warmup_steps else f"{self.warmup_share:.0%}"
        parts = [
            f"AdamW, lr {self.learning_rate:g} linear",
            f"warm-up {warmup}",
            f"batch {self.batch}",
            f"{self.epochs} epochs, each a plain shuffle",
            f"length {self.length}",
            f"weight decay {self.weight_decay:g}",
        ]
        if self.pooling != "cls":
            parts.append(f"{self.pooling} pooling")
        if self.dropout is not None:
            parts.append(f"dropout {self.dropout:g}")
        return ", ".join(parts)
