"""The halves of the held-out sequences: one for reported scores, one for tuning."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from objbench.data.packed_sequences import PackedSequences

HeldoutPart = Literal["reported", "tuning"]


def part_indices(sequences: int, part: HeldoutPart, least: int = 1) -> NDArray[np.int64]:
    """The sequences of one half, in the order of the corpus.

    Every second sequence is for reported scores, the others are for tuning: settings are never
    chosen by what is reported.

    Args:
        sequences: their number.
        part: which half.
        least: with fewer than twice this many sequences, both halves are all of them.
    """
    indices = np.arange(sequences)
    if sequences < 2 * least:
        return indices
    return indices[("reported", "tuning").index(part) :: 2]


def spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """``count`` of ``indices``, of which there are at least as many, evenly spaced."""
    # Corpora are ordered by file: the first sequences alone would be of one genre.
    chosen: NDArray[np.int64] = indices[np.arange(count) * len(indices) // count]
    return chosen


def heldout_rows(sequences: PackedSequences, part: HeldoutPart, count: int) -> NDArray[np.int64]:
    """(n, T) int64 token ids: at most ``count`` sequences of one half, evenly spaced; 0 for all.

    Raises:
        DataError: there are no sequences.
    """
    sequences.require(1)
    indices = part_indices(len(sequences), part)
    return sequences.rows(spread(indices, min(count or len(indices), len(indices))))
