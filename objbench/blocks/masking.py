"""Choosing positions to predict and corrupting them, as BERT does: pure functions of a stream.

Every shape is known before the batch is: each sequence has M slots, of which the first few are
in use. Nothing here waits for the device, loops over sequences or writes into its input. The number
of predicted tokens, their replacements and their slots are the same for other ways of choosing
tokens; see ``objbench.blocks.whole_words``.

Where this differs from public code:

- transformers' ``DataCollatorForLanguageModeling`` tosses a coin for every token, so the number
  of predictions in a sequence of n maskable tokens varies binomially, with variance
  n * rate * (1 - rate) (about 16 at n = 128, 15%). Here the number is rate * n rounded up or
  down at random: the same expected share, exactly ``rate``, with a variance of at most 1/4, which
  is what makes a rectangle of slots possible without wasting most of it.
- Google's ``create_pretraining_data.py`` also fixes the number, as round(rate * n), but predicts
  at least one token, cuts off at ``max_predictions_per_seq``, and masks a sequence 10 times in
  advance instead of again at every visit.
- A special token of the tokenizer is never predicted, [UNK] among them, as in transformers. Google's
  code leaves out [CLS] and [SEP] alone, and ELECTRA's (``pretrain_helpers._get_candidates_mask``)
  [MASK] too, so that there an unknown word may be predicted as [UNK].
- As in both, a random replacement is uniform over the whole vocabulary: it may be a special
  token, or the original token.

Shape legend: B sequences of this process, T tokens, M = min(T, floor(rate * T) + 1) slots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from objbench.contract.batch import IGNORE_INDEX, Batch, Corrupted
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams


def slot_count(rate: float, length: int) -> int:
    """M, the number of prediction slots of a sequence of ``length`` tokens."""
    return min(length, math.floor(rate * length) + 1)


def prediction_count(
    maskable: Tensor, rate: float, slots: int, streams: Streams, stream: str = "mask"
) -> Tensor:
    """How many of each sequence's n maskable positions to predict: rate * n in expectation.

    Args:
        maskable: (B, T) bool, True where a position may be chosen.
        rate: the share of maskable positions to choose, in (0, 1].
        slots: M, at least ``slot_count(rate, T)``.
        streams: source of ``stream + ".count"``.
        stream: prefix of the stream's name.

    Returns:
        (B,) int64, floor(rate * n + u) with u uniform in [0, 1); at most n and M.
    """
    available = maskable.sum(dim=1)
    rounded = torch.floor(rate * available + streams.uniform(f"{stream}.count"))
    # In float32 the sum can round up to the next integer, but never beyond those available.
    return torch.minimum(rounded.to(torch.int64), available.clamp(max=slots))


def select_positions(
    maskable: Tensor,
    rate: float,
    streams: Streams,
    stream: str = "mask",
    slots: int | None = None,
) -> tuple[Tensor, Tensor]:
    """A uniformly random subset of each sequence's maskable positions, a share ``rate`` of them.

    A sequence with n maskable positions gets floor(rate * n + u) of them, u uniform in [0, 1):
    rate * n in expectation. At one seed the choice at a lower rate is contained in the choice at
    a higher one up to that rounding, because both take the best of the same random scores.

    Args:
        maskable: (B, T) bool, True where a position may be chosen.
        rate: the share of maskable positions to choose, in (0, 1].
        streams: source of ``stream`` (scores) and ``stream + ".count"`` (rounding).
        stream: name of the stream.
        slots: M, if not that of ``rate``: that of the highest rate of a run whose rate changes, so
            that shapes do not. The chosen columns do not depend on it.

    Returns:
        The columns chosen, (B, M) int64, 0 in an unused slot, and which slots are in use,
        (B, M) bool, filled from the left. The columns are in random order.
    """
    length = maskable.shape[1]
    slots = slot_count(rate, length) if slots is None else slots
    wanted = prediction_count(maskable, rate, slots, streams, stream)
    scores = streams.uniform(stream, length).masked_fill(~maskable, -1.0)
    # Sorted, since slots in use must hold the best `wanted` columns, not any of the best M.
    columns = scores.topk(slots, dim=1, sorted=True).indices
    used = torch.arange(slots, device=maskable.device) < wanted.unsqueeze(1)
    return columns * used, used


def slots_of(chosen: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """The chosen columns of each sequence, from left to right, in M = ``slots`` slots.

    Args:
        chosen: (B, T) bool, at most M of them True in a sequence.
        slots: M, at most T.

    Returns:
        The columns (B, M) int64, 0 in an unused slot, and which slots are in use, (B, M) bool,
        filled from the left.
    """
    # Stable, so that those chosen come first and in order.
    columns = (~chosen).to(torch.uint8).argsort(dim=1, stable=True)[:, :slots]
    used = chosen.gather(1, columns)
    return columns * used, used


def corrupted_tokens(
    tokens: Tensor,
    vocabulary: Vocabulary,
    mask_share: float,
    random_share: float,
    streams: Streams,
    stream: str = "mask",
    lot: Tensor | None = None,
) -> Tensor:
    """The replacements of chosen ``tokens``: [MASK], a random word, or the token itself.

    Args:
        tokens: (B, M) int64, the original tokens.
        vocabulary: gives the id of [MASK] and the number of words.
        mask_share: probability of [MASK]; BERT: 0.8.
        random_share: probability of a word uniform over the vocabulary; BERT: 0.1.
        streams: source of ``stream + ".replace"`` and ``stream + ".words"``.
        stream: prefix of the streams' names.
        lot: (B, M) float32 in [0, 1), which of the three it is: the smallest give [MASK], the
            largest keep the token. Drawn independently for each token if None.

    Returns:
        (B, M) int64.
    """
    slots = tokens.shape[1]
    lot = streams.uniform(f"{stream}.replace", slots) if lot is None else lot
    words = streams.integers(f"{stream}.words", vocabulary.size, slots)
    kept_or_random = torch.where(lot < mask_share + random_share, words, tokens)
    return torch.where(lot < mask_share, vocabulary.mask, kept_or_random)


def with_corrupted(
    batch: Batch,
    positions: Tensor,
    used: Tensor,
    corrupted: Tensor,
    extras: Mapping[str, Tensor] | None = None,
) -> Corrupted:
    """``batch`` with the tokens in the used slots replaced and to be predicted.

    Args:
        batch: input_ids (B, T) int64; not changed.
        positions: (B, M) int64, no column twice, 0 in an unused slot.
        used: (B, M) bool.
        corrupted: (B, M) int64, what the encoder sees there.
        extras: further tensors for the terms.
    """
    original = batch.input_ids.gather(1, positions)
    # Differences are added instead of tokens written: unused slots all point at column 0 and
    # must change nothing there, even if column 0 is itself chosen.
    change = (corrupted - original) * used
    return Corrupted.of(
        batch,
        input_ids=batch.input_ids.scatter_add(1, positions, change),
        extras=extras,
        positions=positions,
        targets=original.masked_fill(~used, IGNORE_INDEX),
    )


def mask_tokens(
    batch: Batch,
    vocabulary: Vocabulary,
    streams: Streams,
    rate: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
    slots: int | None = None,
) -> Corrupted:
    """BERT's corruption of ``batch``: choose a share of the tokens, replace most of them.

    Devlin et al. 2019, section 3.1, task 1; differences from public code are in the module's
    docstring. Two objectives that call this with the same arguments at one seed and step get the
    same masks, whatever else they draw.

    Args:
        batch: input_ids (B, T) int64 and special (B, T) bool; not changed.
        vocabulary: the tokenizer's.
        streams: source of "mask", "mask.count", "mask.replace" and "mask.words".
        rate: share of the non-special tokens to predict, in (0, 1].
        mask_share: share of these replaced by [MASK].
        random_share: share of these replaced by a random word; the rest stay.
        slots: M, if not that of ``rate``; see ``select_positions``.

    Returns:
        The batch with corrupted input_ids (B, T), positions (B, M) and targets (B, M) int64.
    """
    positions, used = select_positions(~batch.special, rate, streams, slots=slots)
    original = batch.input_ids.gather(1, positions)
    corrupted = corrupted_tokens(original, vocabulary, mask_share, random_share, streams)
    return with_corrupted(batch, positions, used, corrupted)
