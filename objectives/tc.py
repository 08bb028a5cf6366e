"""TACO's token-alignment contrastive loss as a term that can be added to any objective.

With g the normalised difference of a token's last hidden state and its embedding, t2 a token
drawn from the window around t1, and N the negatives, K tokens drawn from other sequences or all of
theirs:

    L_TC = mean over anchors t1 of -log( exp(g[t1].g[t2] / tau)
                                         / sum over c in {t2} and N of exp(g[t1].g[c] / tau) )

``taco`` is ``mlm+tc`` with the options of both in one list. What is contrasted, and how that differs
from the paper and its authors' code, is described in ``objbench_objectives.alignment``.

Shape legend: B sequences of this process, T tokens, A anchors per sequence, K negatives per
anchor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, distributed

from objbench import hookimpl
from objbench.blocks.full_contrast import exhaustive_flops
from objbench.blocks.sampled_contrast import similarity_flops
from objbench.contract.batch import Corrupted
from objbench.contract.encoder_spec import EncoderSpec
from objbench.contract.objective import AddedTerm, Objective
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, TermLoss
from objbench.errors import ConfigError
from objbench_objectives.alignment import (
    Anchors,
    alignment_loss,
    all_lengths,
    anchor_positions,
    draw_negatives,
    draw_positives,
    exhaustive_alignment_loss,
)

WindowRule = Literal["reference", "paper"]
Sampling = Literal["drawn", "all"]

_ANY_LENGTH = 128
"""The length at which an objective is checked for predicted tokens."""


class TokenAlignment(AddedTerm):
    """The contrastive term "tc"; it reads hidden states, so it works with any corruption.

    Args:
        config: a ``TokenAlignment.Config``.
        encoder_spec: of the encoder.
        joined: the objective to which it is added.

    Raises:
        ConfigError: the anchors depend on predicted positions, of which ``joined`` has none.
    """

    name = "tc"
    summary = "a contrastive loss between neighbouring tokens (TACO)"
    reference = "Fu et al. 2022, https://arxiv.org/abs/2204.04163"
    across_sequences = "its negatives are tokens of other sequences"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Hyperparameters of the contrastive term.

        Attributes:
            window: W, tokens; with the reference's rule odd, the anchor in the middle.
            window_rule: "reference": up to (W - 1) / 2 to either side; "paper": up to W - 1.
            sampling: negatives of an anchor: "drawn" as in TACO, K of them; "all" real positions
                of the other sequences of the batch over all processes (of one part of it with
                ``--micro-batches``).
            negatives: K, the negatives drawn for each anchor; no effect with sampling=all.
            temperature: tau, the divisor of the cosine similarities.
            weight: factor of the term in the total loss.
            anchors: "all" positions, or the "masked" or "unmasked" ones only.

        Raises:
            ConfigError: a value out of range.
        """

        window: int = 5
        window_rule: WindowRule = "reference"
        sampling: Sampling = "drawn"
        negatives: int = 50
        temperature: float = 0.07
        weight: float = 1.0
        anchors: Anchors = "all"

        @property
        def reach(self) -> int:
            """How far the window reaches to either side, in tokens."""
            return self.window - 1 if self.window_rule == "paper" else (self.window - 1) // 2

        def __post_init__(self) -> None:
            of_words = (("window_rule", WindowRule), ("sampling", Sampling), ("anchors", Anchors))
            for option, choices in of_words:
                if getattr(self, option) not in get_args(choices):
                    raise ConfigError(f"{option} must be one of {', '.join(get_args(choices))}")
            if self.window_rule == "reference" and self.window % 2 == 0:
                raise ConfigError(f"window must be odd (or window_rule=paper), not {self.window}")
            if self.reach < 1:
                raise ConfigError(f"window={self.window} leaves no neighbour: raise it")
            if self.negatives < 1:
                raise ConfigError(f"negatives must be at least 1, not {self.negatives}")
            if not self.temperature > 0:
                raise ConfigError(f"temperature must be positive, not {self.temperature}")
            if not self.weight >= 0:
                raise ConfigError(f"weight must not be negative, not {self.weight}")

    def __init__(self, config: Any, encoder_spec: EncoderSpec, joined: Objective) -> None:
        super().__init__(config, encoder_spec, joined)
        self.width = encoder_spec.width
        # A method of the objective, since the objective itself would become a child module.
        self.slots: Callable[[int], int] = joined.slots
        needs = {Need.LAST_HIDDEN_STATE, Need.EMBEDDING_OUTPUT}
        if config.anchors != "all":
            if not joined.slots(_ANY_LENGTH):
                raise ConfigError(
                    f"anchors={config.anchors} needs predicted positions, and {joined.name} "
                    "predicts none: use anchors=all"
                )
            needs |= {Need.LABELS}
        self.needs = frozenset(needs)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass; draws positives, and negatives unless all are used.

        Raises:
            ConfigError: the whole batch is one sequence, or sequences have one token.
        """
        batch, temperature = encoder_pass.batch, self.config.temperature
        _check_size(batch)
        columns, valid = anchor_positions(batch, self.config.anchors)
        positives = self._positives(batch, columns, streams)
        if self.config.sampling == "all":
            return exhaustive_alignment_loss(encoder_pass, columns, valid, positives, temperature)
        candidates = self._candidates(batch, positives, streams)
        return alignment_loss(encoder_pass, columns, valid, candidates, temperature)

    def count_items(self, corrupted: Corrupted) -> Tensor:
        """The anchors that count."""
        _, valid = anchor_positions(corrupted, self.config.anchors)
        return valid.sum().float()

    def _positives(self, batch: Corrupted, columns: Tensor | None, streams: Streams) -> Tensor:
        """(B, A) int64, columns of the anchors' own sequences."""
        rows, length = batch.input_ids.shape
        if columns is None:
            columns = torch.arange(length, device=batch.input_ids.device).expand(rows, length)
        return draw_positives(columns, batch.real.sum(dim=1), self.config.reach, streams)

    def _candidates(self, batch: Corrupted, positives: Tensor, streams: Streams) -> Tensor:
        """(B, A, 1 + K) int64 as row * T + column, the positive first."""
        rows, (own, length) = batch.rows, batch.input_ids.shape
        row, column = draw_negatives(
            self.config.negatives, positives.shape[1], all_lengths(batch), rows, streams
        )
        first = torch.arange(rows.first, rows.first + own, device=row.device).unsqueeze(1)
        near = (first * length + positives).unsqueeze(-1)
        return torch.cat([near, row * length + column], dim=-1)

    def extra_flops(self, batch: int, length: int) -> float:
        """The similarities and the weighted sums of candidates of every anchor slot."""
        masked = self.config.anchors == "masked"
        anchors = batch * (self.slots(length) if masked else length)
        if self.config.sampling == "all":
            return exhaustive_flops(anchors, batch * _processes() * length, self.width)
        return similarity_flops(anchors, 1 + self.config.negatives, self.width)


def _check_size(batch: Corrupted) -> None:
    total, length = batch.rows.total, batch.input_ids.shape[1]
    if total < 2 or length < 2:
        raise ConfigError(
            "tc contrasts tokens within and across sequences: a batch needs at least 2 "
            f"sequences of length 2, not {total} of length {length}; raise the "
            "(micro-)batch size or the sequence length"
        )


def _processes() -> int:
    """The processes that share a batch: each compares its own anchors with the tokens of all."""
    together = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if together else 1


@hookimpl
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(TokenAlignment)
