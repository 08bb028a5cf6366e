"""TACO: masked language modelling plus a contrastive loss that aligns neighbouring tokens.

Tokens of one sequence share its global meaning, so what the encoder adds to a token's embedding
should resemble what it adds to the token's neighbours, more than to tokens of other sequences.

Differences between the paper's formula, its authors' code (FUZHIYI/TACO, f9a412e) and this file:

- The window. The paper takes positives from 0 < |t1 - t2| < W, the code from 1..(W - 1) / 2
  to either side: at W = 5 that is 4 tokens against 2. Default: the code; ``window_rule="paper"``
  is the formula. Both draw a uniformly random other position of the same sequence where the
  neighbour drawn lies outside it (for the code: half the time at the border).
- The code takes padding as anchor, positive and negative; here it is none of these.
- The code's negatives come from the micro-batch of one process or, under DataParallel, of all;
  here from the whole micro-batch over all processes, so that their number changes nothing.
- The code subtracts in place, draws from the global generator in Python loops on the CPU, and
  gathers a (B, T, K, D) tensor; see ``objbench.contrastive`` for what is done instead.

Shape legend: B sequences of this process, R of the whole batch, T tokens, A anchors a sequence,
K negatives an anchor, D width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from objbench import hookimpl
from objbench.batch import IGNORE_INDEX, Corrupted, Rows
from objbench.contrastive import context_vectors, contrastive_loss, similarity_flops
from objbench.errors import ConfigError
from objbench.heads import at_positions
from objbench.masking import slot_count
from objbench.objective import Anatomy, EncoderPass, Need, Objective, Term, TermLoss
from objbench.streams import Streams
from objbench_objectives.mlm import MaskedLanguageModeling

Anchors = Literal["all", "masked", "unmasked"]
WindowRule = Literal["reference", "paper"]


def draw_positives(columns: Tensor, lengths: Tensor, reach: int, streams: Streams) -> Tensor:
    """One positive for each anchor, from its own sequence.

    Uniform over the offsets -reach..-1 and 1..reach; where that lies outside the sequence, uniform
    over its other real positions. A sequence of length 1 has no positive; its anchor's is void.

    Args:
        columns: (B, A) int64, the anchors' columns.
        lengths: (B,) int64, real tokens of each sequence, which are a prefix of it.
        reach: how far the window reaches to either side, in tokens.
        streams: source of "taco.offset" and "taco.elsewhere".

    Returns:
        (B, A) int64, columns in [0, T) if T >= 2.
    """
    lot = streams.integers("taco.offset", 2 * reach, columns.shape[1])
    near = columns + lot - reach + (lot >= reach)  # no offset 0
    real = lengths.unsqueeze(1)
    other = (streams.uniform("taco.elsewhere", columns.shape[1]) * (real - 1)).long()
    other = other + (other >= columns)  # any position but the anchor's own
    return torch.where((near >= 0) & (near < real), near, other)


def draw_negatives(
    count: int, anchors: int, lengths: Tensor, rows: Rows, streams: Streams
) -> tuple[Tensor, Tensor]:
    """Negatives with replacement: uniform over the other sequences, then over real positions.

    Args:
        count: K.
        anchors: A.
        lengths: (R,) int64, real tokens of every sequence of the whole batch, which are a prefix.
        rows: this process's place in the whole batch.
        streams: source of "taco.row" and "taco.column".

    Returns:
        Rows in the whole batch and columns, (B, A, K) int64 each.
    """
    step = streams.integers("taco.row", rows.total - 1, anchors, count)
    own = torch.arange(rows.first, rows.first + step.shape[0], device=step.device)
    row = step + (step >= own.view(-1, 1, 1))  # any row but the anchor's own
    share = streams.uniform("taco.column", anchors, count)
    # Below the length for every share below 1, in float32 too.
    return row, (share * torch.take(lengths, row)).long()


def anchor_positions(batch: Corrupted, anchors: Anchors) -> tuple[Tensor | None, Tensor]:
    """The anchors of each sequence.

    Args:
        batch: after corruption.
        anchors: "masked" takes the predicted positions, "unmasked" the others, "all" both.

    Returns:
        Their columns (B, A) int64, None for all T in order, and which of them count,
        (B, A) bool: real tokens of sequences with at least one other real token.
    """
    valid = batch.real & (batch.real.sum(dim=1, keepdim=True) >= 2)
    if anchors == "masked":
        positions: Tensor = batch.positions  # type: ignore[assignment]  # masked-LM gives them
        used = batch.targets != IGNORE_INDEX
        return positions, used & valid.gather(1, positions)
    return None, valid if anchors == "all" else valid & ~batch.predicted


def alignment_loss(
    encoder_pass: EncoderPass,
    columns: Tensor | None,
    valid: Tensor,
    candidates: Tensor,
    temperature: float,
) -> TermLoss:
    """The token-alignment loss for given candidates.

    With g the ``context_vectors``, the mean over anchors t1 of
    -log( exp(g[t1].g[t2] / tau) / sum over candidates c of exp(g[t1].g[c] / tau) ), where the
    candidates are the positive t2 and the negatives. The gradient goes through the
    anchor into hidden state and embeddings, not through the candidates.

    Args:
        encoder_pass: with last hidden state and embedding output (B, T, D).
        columns: (B, A) int64, or None for all T columns in order.
        valid: (B, A) bool, the anchors that count.
        candidates: (B, A, 1 + K) int64, the positive first, as row * T + column with rows of the
            whole batch.
        temperature: tau.

    Returns:
        Sum and number of the valid anchors' losses.
    """
    embeddings = encoder_pass.need(Need.EMBEDDING_OUTPUT)
    vectors = context_vectors(encoder_pass.last_hidden_state, embeddings)
    pool = encoder_pass.batch.rows.gather(vectors.detach()).flatten(0, 1)
    chosen = vectors if columns is None else at_positions(vectors, columns)
    return contrastive_loss(
        chosen.flatten(0, 1), pool, candidates.flatten(0, 1), valid.flatten(), temperature
    )


class TokenAlignment(Term):
    """The contrastive term "tc"; reads the hidden states, so it stands on any corruption.

    Args:
        config: a ``TokenAlignedMaskedLanguageModeling.Config``.
        anatomy: of the encoder.
    """

    name = "tc"

    def __init__(self, config: Any, anatomy: Anatomy) -> None:
        super().__init__()
        self.config = config
        self.weight = config.weight
        self.width = anatomy.width
        needs = {Need.LAST_HIDDEN_STATE, Need.EMBEDDING_OUTPUT}
        self.needs = frozenset(needs if config.anchors == "all" else needs | {Need.LABELS})

    def draw(self, batch: Corrupted, columns: Tensor | None, streams: Streams) -> Tensor:
        """Candidates (B, A, 1 + K) int64 as row * T + column, the positive first.

        Raises:
            ConfigError: the whole batch is one sequence, or sequences have one token.
        """
        rows, (own, length) = batch.rows, batch.input_ids.shape
        if rows.total < 2 or length < 2:
            raise ConfigError(
                "taco contrasts tokens within and across sequences: a batch needs at least 2 "
                f"sequences of length 2, not {rows.total} of length {length}; raise the "
                "(micro-)batch size or the sequence length"
            )
        mine = batch.real.sum(dim=1)
        # Unpadded batches are unpadded on every process, so nobody waits here for the others.
        unpadded = batch.attention is None
        everyone = mine.new_full((rows.total,), length) if unpadded else rows.gather(mine)
        if columns is None:
            columns = torch.arange(length, device=mine.device).expand(own, length)
        positive = draw_positives(columns, mine, self.config.reach, streams)
        count, anchors = self.config.negatives, columns.shape[1]
        row, column = draw_negatives(count, anchors, everyone, rows, streams)
        first = torch.arange(rows.first, rows.first + own, device=mine.device).unsqueeze(1)
        near = (first * length + positive).unsqueeze(-1)
        return torch.cat([near, row * length + column], dim=-1)

    def forward(self, encoder_pass: EncoderPass, streams: Streams) -> TermLoss:
        """The loss of one pass with freshly drawn candidates; errors as in ``draw``."""
        columns, valid = anchor_positions(encoder_pass.batch, self.config.anchors)
        candidates = self.draw(encoder_pass.batch, columns, streams)
        return alignment_loss(encoder_pass, columns, valid, candidates, self.config.temperature)

    def extra_flops(self, batch: int, length: int) -> float:
        """Dots forward and weighted sums backward of every anchor slot with its candidates."""
        masked = self.config.anchors == "masked"
        anchors = batch * (slot_count(self.config.highest_rate, length) if masked else length)
        return similarity_flops(anchors, 1 + self.config.negatives, self.width)


class TokenAlignedMaskedLanguageModeling(MaskedLanguageModeling):
    """TACO: total = MLM + weight * token-alignment contrastive loss; the same masks as ``mlm``."""

    name = "taco"
    summary = "MLM plus a contrastive loss between neighbouring tokens (TACO)"
    reference = "Fu et al. 2022, https://arxiv.org/abs/2204.04163"

    @dataclass(frozen=True, kw_only=True)
    class Config(MaskedLanguageModeling.Config):
        """Hyperparameters of masking and of the contrastive term.

        Attributes:
            window: W, tokens; with the reference's rule odd, the anchor in the middle.
            window_rule: "reference": up to (W - 1) / 2 to either side; "paper": up to W - 1.
            negatives: K, negatives of each anchor.
            temperature: tau, the divisor of the cosine similarities.
            weight: factor of the contrastive term in the total loss.
            anchors: "all" positions, or the "masked" or "unmasked" ones only.

        Raises:
            ConfigError: a value out of range.
        """

        window: int = 5
        window_rule: WindowRule = "reference"
        negatives: int = 50
        temperature: float = 0.07
        weight: float = 1.0
        anchors: Anchors = "all"

        @property
        def reach(self) -> int:
            """How far the window reaches to either side, in tokens."""
            return self.window - 1 if self.window_rule == "paper" else (self.window - 1) // 2

        def __post_init__(self) -> None:
            MaskedLanguageModeling.Config.__post_init__(self)
            for option, choices in (("window_rule", WindowRule), ("anchors", Anchors)):
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

    def __init__(self, config: Any, anatomy: Anatomy) -> None:
        super().__init__(config, anatomy)
        self.set_terms(*self.terms, TokenAlignment(config, anatomy))


@hookimpl
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded."""
    register(TokenAlignedMaskedLanguageModeling)
