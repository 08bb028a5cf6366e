"""Losses on held-out text under one corruption for every encoder, whatever its objective.

An objective's own held-out loss is under its own corruption, so the losses of two objectives cannot
be compared. Here every encoder that has a token head reads the same sequences with the same tokens
hidden:

    mlm_loss            mean cross-entropy at BERT's masked positions: 15% of the tokens, of which
                        80% are [MASK], 10% a random word and 10% as they were (Devlin et al. 2019)
    pseudo_perplexity   exp( -1/N sum over sequences and tokens of log P(w_t | all others) ), each
                        token hidden in turn (PPPL of Salazar et al. 2020), N tokens in all
    perplexity          exp( -1/N sum of log P(w_t | those before) ), for heads that read from left
                        to right only; these have no pseudo-perplexity, and no others have this

They compare encoders as masked language models. Encoders trained without [MASK], or causally, are at
a disadvantage in the first: a large loss then does not mean that they know less. A perplexity and a
pseudo-perplexity condition on different words and cannot be compared either. An encoder without a
token head (replaced-token detection) has no score.

The masks have their own random stream and are drawn on the CPU in batches of fixed size, so they
are the same for every encoder, device and point of the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from objbench import hookimpl
from objbench.contract.suite import (
    Average,
    Column,
    CurveSuite,
    EvaluationContext,
    Suite,
    TaskResult,
)
from objbench.errors import ConfigError
from objbench_suites.heldout_text import TASK, HeldoutTextSuite
from objbench_suites.option_limits import require_at_least


class HeldoutSuite(HeldoutTextSuite):
    """Masked-LM loss and pseudo-perplexity under one common corruption of held-out text."""

    name = "heldout"
    summary = "masked-LM loss and pseudo-perplexity on held-out text, the same masks for all"
    reference = "Salazar et al. 2020, https://arxiv.org/abs/1910.14659"
    version = 1
    reads_token_head = True

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of the held-out suite.

        Attributes:
            sequences: the largest number of held-out sequences for the masked-LM loss.
            pseudo: the largest number of held-out sequences of which every token is hidden in
                turn; that costs as many passes as a sequence has tokens.
            rate: share of the tokens that are masked.
        """

        sequences: int = 512
        pseudo: int = 32
        rate: float = 0.15

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        require_at_least(self.name, config, sequences=1, pseudo=1)
        if not 0 < config.rate <= 1:
            raise ConfigError(f"{self.name}.rate = {config.rate}: give a share in (0, 1]")

    @property
    def protocol(self) -> str:
        """One line: the common corruption, and which encoders are at a disadvantage."""
        return (
            f"every encoder under the same BERT masks ({self.config.rate:.0%} of "
            f"{self.config.sequences} sequences; each token in turn of {self.config.pseudo}), not "
            "under its own corruption; encoders trained without [MASK], or causally, are at a "
            "disadvantage"
        )

    def columns(self) -> tuple[Column, ...]:
        """The loss in points of 0.01 nat, and the perplexities."""
        return (
            Column("mlm_loss", TASK, ("cross_entropy",), direction="min"),
            Column("pseudo_perplexity", TASK, ("perplexity",), direction="min", scale=1.0),
            Column("perplexity", TASK, ("perplexity",), direction="min", scale=1.0),
        )

    def average(self) -> Average:
        """The masked-LM loss only, which every token head has."""
        label = "masked-LM loss under the common masks, in points of 0.01 nat"
        return Average(label, (("mlm_loss",),), "min")

    def evaluate(
        self, encoder: Path, task: str, seed: int, context: EvaluationContext
    ) -> TaskResult:
        """Score the encoder on the half of the held-out text that ``context`` gives."""
        from objbench.engine.encoder.token_head import NO_TOKEN_HEAD, has_token_head
        from objbench.engine.evaluation.token_scores import load_word_model
        from objbench_suites.token_losses import masked_loss, mean_log_likelihood

        if not has_token_head(encoder):
            reasons = {column.name: NO_TOKEN_HEAD for column in self.columns()}
            return TaskResult({}, train_examples=0, eval_examples={}, unscored=reasons)
        rows = context.heldout(self.config.sequences)
        model = load_word_model(encoder, rows.shape[1], context)
        masked = masked_loss(model, rows, self.config.rate, context.progress)
        each = mean_log_likelihood(model, context.heldout(self.config.pseudo), context.progress)
        own, other, why = (
            ("perplexity", "pseudo_perplexity", "its head reads from left to right")
            if model.reading.is_left_to_right
            else ("pseudo_perplexity", "perplexity", "its head does not read from left to right")
        )
        scores: Mapping[str, Mapping[str, float]] = {
            "mlm_loss": {"cross_entropy": masked.mean},
            own: {"perplexity": each.perplexity},
        }
        return TaskResult(
            scores=scores,
            train_examples=0,
            eval_examples={"mlm_loss": masked.tokens, own: each.tokens},
            details={"reading": asdict(model.reading)},
            unscored={other: why},
        )


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the held-out suite."""
    register(HeldoutSuite)
