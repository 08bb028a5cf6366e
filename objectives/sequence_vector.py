"""One vector per sequence, from the hidden states of its tokens.

Shape legend: B sequences of this process, T tokens, D width.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from objbench.blocks.heads import at_positions
from objbench.contract.batch import Batch, Corrupted

Pooling = Literal["cls", "mean"]


def sequence_vectors(states: Tensor, batch: Batch, pooling: Pooling = "cls") -> Tensor:
    """(B, D) in the dtype of ``states``, read from real tokens only.

    "cls" is the state of the first token; in a causal pass, where that token has seen only itself,
    it is that of the last real token, as GPT classifies (Radford et al. 2018, section 3.2).
    "mean" is the mean over real tokens, special tokens included.

    Args:
        states: (B, T, D).
        batch: what was read, (B, T).
        pooling: which of the two.
    """
    real = batch.real
    if pooling == "mean":
        weights = real / real.sum(dim=1, keepdim=True)
        return (states * weights.unsqueeze(-1).to(states.dtype)).sum(dim=1)
    if isinstance(batch, Corrupted) and batch.causal:
        last = real.sum(dim=1, keepdim=True) - 1
        return at_positions(states, last).squeeze(1)
    return states[:, 0]
