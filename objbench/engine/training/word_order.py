"""Taking the order of words from a text: what an encoder makes of the rest does not use order.

Shape legend: B sequences of this process, T tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from objbench.contract.batch import Batch
from objbench.contract.random_streams import Streams

STREAM = "word order"
"""Name of the stream that permutations are drawn from; no objective's."""

AnyBatch = TypeVar("AnyBatch", bound=Batch)


def shuffled_columns(movable: Tensor, streams: Streams) -> Tensor:
    """A uniformly random permutation of each sequence's movable columns among themselves.

    Args:
        movable: (B, T) bool.
        streams: source of ``STREAM``.

    Returns:
        (B, T) int64, for each column the one whose token takes its place; itself where not movable.
    """
    scores = streams.uniform(STREAM, movable.shape[1])
    # Both list the movable columns first, in their order and in a random one, then the others in
    # their order: scores are below 1, and the sort is stable.
    places = (~movable).to(torch.uint8).argsort(dim=1, stable=True)
    sources = scores.masked_fill(~movable, 1.0).argsort(dim=1, stable=True)
    return torch.empty_like(places).scatter(1, places, sources)


def reordered(batch: AnyBatch, columns: Tensor) -> AnyBatch:
    """``batch`` with every token, and what the extras say of it, at another place of its sequence.

    Args:
        batch: (B, T); not changed. Its special tokens and predicted positions must stay in place.
        columns: (B, T) int64, as ``shuffled_columns`` gives them. Extras whose first two dimensions
            are (B, T) move along.
    """
    shape = batch.input_ids.shape
    rows = torch.arange(len(columns), device=columns.device).unsqueeze(1)
    extras = {
        name: tensor[rows, columns] if tensor.shape[:2] == shape else tensor
        for name, tensor in batch.extras.items()
    }
    return replace(batch, input_ids=batch.input_ids.gather(1, columns), extras=extras)
