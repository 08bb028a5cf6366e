"""Which held-out sequences are looked at: one half is reported on, the other tuned on."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from objbench.data.packed_sequences import PackedSequences

HeldoutPart = Literal["reported", "tuning"]


def part_indices(sequences: int, part: HeldoutPart, least: int = 1) -> NDArray[np.int64]:
    """The sequences of one half, in the order of the corpus.

    Every second sequence is reported on, the others are for tuning: what settings are chosen by is
    never what is reported.

    Args:
        sequences: how many there are.
        part: which half.
        least: with too few sequences for two halves of so many, both are all of them.
    """
    indices = np.arange(sequences)
    if sequences < 2 * least:
        return indices
    return indices[("reported", "tuning").index(part) :: 2]


def spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """``count`` of ``indices``, which are at least as many, spread evenly over all of them."""
    # Corpora lie file by file: the first ones alone would be of one genre.
    chosen: NDArray[np.int64] = indices[np.arange(count) * len(indices) // count]
    return chosen


def heldout_rows(sequences: PackedSequences, part: HeldoutPart, count: int) -> NDArray[np.int64]:
    """(n, T) int64 token ids: at most ``count`` sequences of one half, spread evenly; 0 for all.

    Raises:
        DataError: there is no sequence.
    """
    sequences.require(1)
    indices = part_indices(len(sequences), part)
    return sequences.rows(spread(indices, min(count or len(indices), len(indices))))
