"""Aligning neighbouring tokens: which tokens are compared, and the loss over them.

Tokens of one sequence share its global meaning, so what the encoder adds to a token's embedding
should resemble what it adds to the token's neighbours, more than to tokens of other sequences
(Fu et al. 2022, section 3).

Differences between the paper's formula, its authors' code (FUZHIYI/TACO, f9a412e) and this file:

- The window. The paper takes positives from 0 < |t1 - t2| < W, the code from 1..(W - 1) / 2
  to either side: at W = 5 that is 4 tokens against 2. If the drawn neighbour is outside the
  sequence, both draw a uniformly random other position of it (in the code: half of the time at the
  border).
- The code uses padding as anchor, positive and negative; here it is none of these.
- The code's negatives come from the micro-batch of one process or, under DataParallel, of all;
  here from the whole batch over all processes, so that their number changes nothing, and with
  ``--micro-batches`` from one part of it over all processes.
- The code subtracts in place, draws from the global generator in Python loops on the CPU, and
  gathers a (B, T, K, D) tensor; see ``objbench.blocks.sampled_contrast`` for what is done instead.
- Neither uses all positions of the other sequences as negatives; see ``objbench.blocks.full_contrast``.

Shape legend: B sequences of this process, R of the whole batch, T tokens, A anchors per sequence,
K negatives per anchor, D width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from objbench.blocks.full_contrast import exhaustive_contrastive_loss
from objbench.blocks.heads import at_positions
from objbench.blocks.sampled_contrast import context_vectors, contrastive_loss
from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted, Rows
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass, Need, TermLoss

Anchors = Literal["all", "masked", "unmasked"]


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
        positions: Tensor = batch.positions  # type: ignore[assignment]  # the term needs them
        used = batch.targets != IGNORE_INDEX
        return positions, used & valid.gather(1, positions)
    return None, valid if anchors == "all" else valid & ~batch.predicted


def all_lengths(batch: Batch) -> Tensor:
    """Real tokens of every sequence of the whole batch: (R,) int64."""
    if batch.attention is None:
        # Unpadded batches are unpadded on every process, so none waits here for the others.
        length = batch.input_ids.shape[1]
        return torch.full((batch.rows.total,), length, device=batch.input_ids.device)
    return batch.rows.gather(batch.real.sum(dim=1))


def draw_positives(columns: Tensor, lengths: Tensor, reach: int, streams: Streams) -> Tensor:
    """One positive for each anchor, from its own sequence.

    Uniform over the offsets -reach..-1 and 1..reach; if that is outside the sequence, uniform over
    its other real positions. A sequence of length 1 has no positive; its anchor's is undefined.

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
    chosen, pool = _anchors_and_pool(encoder_pass, columns)
    return contrastive_loss(
        chosen.flatten(0, 1),
        pool.flatten(0, 1),
        candidates.flatten(0, 1),
        valid.flatten(),
        temperature,
    )


def exhaustive_alignment_loss(
    encoder_pass: EncoderPass,
    columns: Tensor | None,
    valid: Tensor,
    positives: Tensor,
    temperature: float,
) -> TermLoss:
    """The token-alignment loss with every real position of the other sequences as a negative.

    ``alignment_loss`` for the positive and all of these as candidates, each once.

    Args:
        encoder_pass: with last hidden state and embedding output (B, T, D).
        columns: (B, A) int64, or None for all T columns in order.
        valid: (B, A) bool, the anchors that count.
        positives: (B, A) int64, columns of the anchor's own sequence.
        temperature: tau.

    Returns:
        Sum and number of the valid anchors' losses.
    """
    batch = encoder_pass.batch
    chosen, pool = _anchors_and_pool(encoder_pass, columns)
    real = None
    if batch.attention is not None:
        real = torch.arange(pool.shape[1], device=pool.device) < all_lengths(batch).unsqueeze(1)
    return exhaustive_contrastive_loss(
        chosen, pool, positives, real, batch.rows.first, valid, temperature
    )


def _anchors_and_pool(encoder_pass: EncoderPass, columns: Tensor | None) -> tuple[Tensor, Tensor]:
    """The context vectors of the anchors, (B, A, D), and of the whole batch, (R, T, D) detached."""
    embeddings = encoder_pass.need(Need.EMBEDDING_OUTPUT)
    vectors = context_vectors(encoder_pass.last_hidden_state, embeddings)
    pool = encoder_pass.batch.rows.gather(vectors.detach())
    return vectors if columns is None else at_positions(vectors, columns), pool
