"""The common loss: one measure of every objective, and what the order of words gives it.

Objectives have losses of their own, which cannot be compared, and a run that never left its first
plateau has one as well. So at every evaluation point the encoder is also measured by a loss that
depends on the token head alone (``training_points.CommonLoss``), twice: on the text, and on the same
text with the visible tokens of each sequence shuffled. The difference is the order gain. An encoder
that has learnt the frequencies of words, or which words occur together, loses nothing by that.

What is measured, and what is shuffled:

- "masked": BERT's masks, 15%, of which 80% become [MASK], 10% another token and 10% stay. The hidden
  tokens keep their places, and the others that are not special change places.
- "next", of a head that is read from left to right: ``loss`` is of every token that is not special,
  after the first, from those before it, which is what ``reference_lines`` measures. Were they all
  shuffled, nothing would be left to predict. So the order gain is over the positions that "masked"
  would hide: they keep their tokens, and the others change places, before and behind them.
- "own", where the encoder has no token head (a detector of replaced tokens) or a head of another
  class, which need not have been trained on [MASK]: the objective's own loss, the "loss" of
  ``heldout_losses``. The text is corrupted first, and then the tokens change places that are neither
  special nor predicted, with all that the corruption says of them. So a generator is not measured:
  it has read the text as it was, and its loss and its samples are the same on both sides. Of an
  objective whose loss does not depend on the order of words even when it is learnt (sequences told
  apart by their words alone) the order gain is near 0, and it counts as stuck.

The masks and permutations are those of ``HELDOUT_SEED``: the same for every objective, seed, point,
number of processes and of parts, where the batches are of one size.

Shape legend: B sequences of this process, R of all, T tokens, M slots, K terms, N modes, P pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objbench.blocks.heads import TokenHead
from objbench.blocks.masking import mask_tokens, select_positions, slots_of
from objbench.contract.batch import IGNORE_INDEX, Batch
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.objective import Objective
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.token_losses import token_losses
from objbench.engine.training.heldout_loss import evaluating, heldout_batches, over_modes
from objbench.engine.training.parts import Part, pieces
from objbench.engine.training.session import Session
from objbench.engine.training.step import TrainingStep
from objbench.engine.training.word_order import reordered, shuffled_columns
from objbench.results.training_points import CommonLoss

RATE = 0.15
"""Share of the tokens that are hidden; of these 80% become [MASK], 10% another token, 10% stay."""

PIECES = 8
"""Pieces that a held-out batch is cut into where the error is over them: a short text has one batch."""

Kind = Literal["masked", "next", "own"]

Found = tuple[float, float, float | None, int]
"""The loss, the order gain, its standard error, and the number of tokens."""

Losses = Callable[[Batch, Tensor, Tensor], Tensor]
"""What the encoder reads, columns (B, M) and targets (B, M) -> losses (B, M)."""


@torch.no_grad()
def common_loss(session: Session) -> CommonLoss:
    """The common loss and the order gain of the session's encoder, on the job's held-out batches.

    Without dropout; two passes of the encoder, or two in each mode of an objective that is measured
    by its own loss. The same on every process.

    Raises:
        DataError: there is less held-out text than one sequence for each process.
        FloatingPointError: a loss is not finite.
    """
    kind = kind_of(session.module.objective)
    with evaluating(session), session.accelerator.autocast():
        found = _own(session) if kind == "own" else _of_tokens(session, kind == "next")
    loss, gain, error, tokens = found
    if not np.isfinite([loss, gain, error or 0.0]).all():
        raise FloatingPointError(
            f"the common loss {kind!r} was {loss}, and {loss + gain} on shuffled text"
        )
    return CommonLoss(of=kind, loss=loss, order_gain=gain, error=error, tokens=tokens)


def kind_of(objective: Objective) -> Kind:
    """What the common loss of ``objective`` predicts; see the module's docstring."""
    head, reading = objective.token_head, objective.token_reading
    if head is not None and reading.is_left_to_right:
        return "next"
    return "masked" if isinstance(head, TokenHead) else "own"


# -- of single tokens


def _of_tokens(session: Session, left_to_right: bool) -> Found:
    """The loss of a token head, its order gain with the standard error over sequences."""
    module, vocabulary = session.module, session.job.vocabulary
    head, reading = module.objective.token_head, module.objective.token_reading
    assert head is not None
    losses = partial(token_losses, module.encoder, head, reading)
    measure = next_losses if left_to_right else masked_losses
    found = []
    for batch, streams in heldout_batches(session):
        # No term of the objective arranges the text.
        for part in session.parts(replace(batch, arranged=True), streams()):
            rows = measure(losses, part.batch, part.streams(), vocabulary)
            found.append(part.batch.rows.gather(rows))
    total, tokens, gain, compared = torch.cat(found).double().cpu().numpy().T
    return (
        float(total.sum() / max(tokens.sum(), 1)),
        *ratio(gain, compared),
        int(tokens.sum()),
    )


def masked_losses(losses: Losses, batch: Batch, streams: Streams, vocabulary: Vocabulary) -> Tensor:
    """(B, 4) float32 sums of each sequence, with 15% of its tokens hidden.

    The losses of the hidden tokens, their number, what shuffling the others adds to them, and the
    number of tokens that this is of.
    """
    masked = mask_tokens(batch, vocabulary, streams, RATE)
    positions, targets = masked.positions, masked.targets
    assert positions is not None and targets is not None
    columns = shuffled_columns(~masked.special & ~masked.predicted, streams)
    plain = losses(masked, positions, targets)
    shuffled = losses(reordered(masked, columns), positions, targets)
    number = (targets != IGNORE_INDEX).float()
    each = (plain, number, shuffled - plain, number)
    return torch.stack([slots.sum(dim=1) for slots in each], dim=1)


def next_losses(losses: Losses, batch: Batch, streams: Streams, vocabulary: Vocabulary) -> Tensor:
    """(B, 4) float32 sums of each sequence, with every token predicted from those before it.

    As ``masked_losses``; the last two are of the positions that are hidden there.
    """
    ids = batch.input_ids
    predicted = ~batch.special
    predicted[:, 0] = False
    positions, used = slots_of(predicted, max(1, ids.shape[1] - 1))
    plain = losses(batch, positions, ids.gather(1, positions).masked_fill(~used, IGNORE_INDEX))
    kept, chosen = select_positions(~batch.special, RATE, streams)
    chosen &= kept > 0
    still = torch.zeros_like(ids).scatter_add(1, kept, chosen.to(ids.dtype)).bool()
    columns = shuffled_columns(~batch.special & ~still, streams)
    targets = ids.gather(1, kept).masked_fill(~chosen, IGNORE_INDEX)
    shuffled = losses(reordered(batch, columns), kept, targets)
    # Unused slots point at column 0, which is not predicted.
    before = torch.zeros_like(plain.new_empty(ids.shape)).scatter_add(1, positions, plain)
    each = (plain, used.float(), shuffled - before.gather(1, kept) * chosen, chosen.float())
    return torch.stack([slots.sum(dim=1) for slots in each], dim=1)


def ratio(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, float | None]:
    """The mean of items in sequences, and its standard error over sequences.

    With mean r = sum s_i / sum n_i, the error is sqrt(m / (m - 1) sum (s_i - r n_i)^2) / sum n_i:
    items of one sequence are not independent (Cochran 1977, Sampling Techniques, eq. 2.45).

    Args:
        sums: (m,) of the items of each sequence.
        counts: (m,) their numbers.

    Returns:
        r and its error; None for the error of fewer than two sequences.
    """
    whole, number = max(counts.sum(), 1.0), len(sums)
    mean = sums.sum() / whole
    if number < 2:
        return float(mean), None
    spread = np.square(sums - mean * counts).sum() * number / (number - 1)
    return float(mean), float(np.sqrt(spread) / whole)


# -- of an objective without a token head


def _own(session: Session) -> Found:
    """The objective's loss, its order gain with the standard error over pieces of the batches.

    A batch in which sequences are compared is one piece, since the loss of any part of it is another.
    """
    module, modes = session.module, session.module.objective.modes
    is_cut = not any(term.across_sequences for term in module.objective.terms)
    found, tokens = [], torch.zeros(1, device=session.device)
    for batch, streams in heldout_batches(session):
        tokens += (~batch.special).sum()
        number = math.gcd(PIECES, batch.rows.total) if is_cut else 1
        shape = (number, 2, len(modes), 2 * len(session.names))
        sums = torch.zeros(shape, device=session.device)
        for row, mode in enumerate(modes):
            whole = replace(batch, mode=mode)
            for way, shuffle in enumerate((False, True)):
                # Of the same random numbers, drawn again from their start.
                for piece, part in _dealt(session, whole, streams(), number if is_cut else None):
                    sums[piece, way, row] += torch.cat(own_losses(module, part, shuffle=shuffle))
        found.append(sums)
    # (P, 2, N, 2 K): pieces, as it is and shuffled, modes, sums and counts of the terms.
    (each,) = session.summed(torch.cat(found))
    each = each.double().cpu()
    (words,) = session.summed(tokens)
    shares, weights = list(modes.values()), session.weights.double().cpu()

    def loss(sums: Tensor) -> float:
        totals, counts = sums.chunk(2, dim=-1)
        return float(over_modes(totals, counts, shares, weights)[1])

    plain, shuffled = (loss(side) for side in each.sum(dim=0))
    differences = [loss(after) - loss(before) for before, after in each]
    _, error = ratio(np.array(differences), np.ones(len(differences)))
    return plain, shuffled - plain, error, int(words)


def _dealt(
    session: Session, batch: Batch, streams: Streams, number: int | None
) -> Iterable[tuple[int, Part]]:
    """The parts of ``batch`` with the index of the piece that each belongs to; None for one piece."""
    if number is None:
        return ((0, part) for part in session.parts(batch, streams))
    return pieces(session.module, batch, streams, number)


def own_losses(module: TrainingStep, part: Part, shuffle: bool) -> tuple[Tensor, Tensor]:
    """(K,) sums and (K,) counts of the terms, on a part as the corruption left it or shuffled.

    Args:
        module: the encoder and the objective.
        part: arranged, with random numbers that were not drawn from yet.
        shuffle: whether tokens that are neither special nor predicted change places after the
            corruption.
    """
    batch, streams = part.batch, part.streams()
    corrupted = module.objective.corrupt(batch, streams)
    if shuffle:
        visible = ~corrupted.special
        if corrupted.positions is not None and corrupted.targets is not None:
            visible &= ~corrupted.predicted
        columns = shuffled_columns(visible, streams)
        batch, corrupted = reordered(batch, columns), reordered(corrupted, columns)
    return module.losses(module.encode(module.with_views(batch, corrupted, streams)), streams)
