"""Batches of examples, drawn by counter-based streams and built by indexing.

The training order is a plain shuffle of all examples for every epoch, as transformers' Trainer
draws it by default. Batches of similar length would need less padding, but an example would meet
the same few others in epoch after epoch, which lowers the accuracy on training examples
(``leaderboard/performance-notes.md``). Padding is saved within a batch instead: it is computed in
parts of similar length. The order is a pure function of (seed, epoch, N), so two encoders are
fine-tuned on the same batches in the same order.

Shape legend: N examples, B examples of a batch, T tokens of its longest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from objbench.contract.random_streams import numpy_generator
from objbench.data.device_copy import copied_to
from objbench.engine.evaluation.examples import TokenisedExamples

PART_COST = 24_000
"""What computing a batch in one more part costs on a CPU, in tokens times the encoder's width.

Measured in float32 on one thread, forward and backward: 330 tokens at 2 layers of width 64, 190 at
2 of 128 and 95 at 4 of 256.
"""


@dataclass(frozen=True, slots=True)
class ExampleBatch:
    """A padded batch.

    Attributes:
        ids: (B, T) int64.
        types: (B, T) int64.
        attention: (B, T) int64, 0 at padding; None if nothing is padded, so that attention runs
            without a mask.
        labels: (B,) int64 or float32.
    """

    ids: Tensor
    types: Tensor
    attention: Tensor | None
    labels: Tensor

    def to(self, device: torch.device) -> ExampleBatch:
        """The batch on ``device``; the host does not wait for the copies."""
        attention = None if self.attention is None else copied_to(self.attention, device)
        ids, types, labels = (
            copied_to(tensor, device) for tensor in (self.ids, self.types, self.labels)
        )
        return ExampleBatch(ids, types, attention, labels)


def training_batches(count: int, batch: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """One epoch's batches as arrays of example indices: a shuffle of all examples, cut in order.

    Args:
        count: N; every example occurs exactly once.
        batch: B; the last batch holds the remainder.
        seed: the fine-tuning seed.
        epoch: number of the epoch, from 0.
    """
    order = numpy_generator(seed, "finetune/order", epoch).permutation(count)
    return np.split(order, np.arange(batch, count, batch))


def parts_of_similar_length(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], least: int
) -> list[NDArray[np.int64]]:
    """The examples of a batch, (B,), in parts that need less padding, longest first.

    The examples in order of length are halved, and each half again, for as long as that saves
    more than ``least`` tokens.

    Args:
        rows: (B,) example indices.
        lengths: (N,) tokens of each example.
        least: tokens of padding that one more part must save.
    """
    return _halved(rows[np.argsort(-lengths[rows], kind="stable")], lengths, least)


def _halved(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], least: int
) -> list[NDArray[np.int64]]:
    half = len(rows) // 2
    saved = (len(rows) - half) * (lengths[rows[0]] - lengths[rows[half]])
    if saved <= least:
        return [rows]
    return [*_halved(rows[:half], lengths, least), *_halved(rows[half:], lengths, least)]


def evaluation_batches(lengths: NDArray[np.int64], tokens: int) -> list[NDArray[np.int64]]:
    """Batches in order of length, each of at most ``tokens`` tokens, padding included.

    Args:
        lengths: (N,) tokens of each example.
        tokens: largest B x T; an example longer than that is a batch by itself.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        size = max(1, tokens // max(1, int(lengths[order[start]])))
        batches.append(order[start : start + size])
        start += size
    return batches


def assemble(examples: TokenisedExamples, rows: NDArray[np.int64]) -> ExampleBatch:
    """The padded batch of the examples numbered ``rows``, (B,), in that order."""
    starts = examples.offsets[rows]
    lengths = examples.offsets[rows + 1] - starts
    columns = np.arange(int(lengths.max()))
    real = columns < lengths[:, None]
    # Padding reads an arbitrary token of the array, which the mask then replaces.
    index = np.where(real, starts[:, None] + columns, 0)
    ids = np.where(real, examples.ids[index], examples.pad).astype(np.int64)
    types = np.where(real, examples.types[index], 0).astype(np.int64)
    return ExampleBatch(
        ids=torch.from_numpy(ids),
        types=torch.from_numpy(types),
        attention=None if real.all() else torch.from_numpy(real.astype(np.int64)),
        labels=torch.from_numpy(examples.labels[rows]),
    )


def subset_rows(total: int, count: int) -> NDArray[np.int64]:
    """The rows, (count,), that ``subset`` keeps of ``total``."""
    # Random, not the first: a file may be sorted by label or source.
    return np.sort(numpy_generator(0, "finetune/subset").permutation(total)[:count])


def subset(examples: TokenisedExamples, count: int | None) -> TokenisedExamples:
    """At most ``count`` of the examples, the same random ones for every encoder and seed."""
    if count is None or count >= len(examples):
        return examples
    chosen = subset_rows(len(examples), count)
    lengths = examples.lengths[chosen]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    index = np.repeat(examples.offsets[chosen] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return TokenisedExamples(
        ids=examples.ids[index],
        types=examples.types[index],
        offsets=offsets,
        labels=examples.labels[chosen],
        pad=examples.pad,
    )
