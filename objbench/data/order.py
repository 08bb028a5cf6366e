"""The order of sequences: a keyed permutation for each epoch, in constant memory.

Which sequences a step sees is a pure function of (seed, step, batch size, number of sequences):
no shuffled index is stored, so every objective, any number of processes and every resumed run see
the same order, however large the corpus is.

The permutation is a Feistel network over pairs (left, right) of residues modulo s, the least s with
s * s >= n. A result of n or above is sent through again until it lies below n ("cycle walking");
s * s exceeds n by so little that this is rare.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from objbench.contract.random_streams import stream_key

ROUNDS = 8
"""Four make a Feistel network indistinguishable from random in theory; twice that for the small
domains and the fast, uncryptographic mixing used here."""

BLOCK = 2048
"""Positions that are computed at a time."""

Indices = NDArray[np.int64]


def batch_indices(seed: int, step: int, batch: int, n: int) -> Indices:
    """The sequences of one step: positions step * batch and on in the endless row of epochs.

    A step may end one epoch and begin the next.

    Args:
        seed: the pretraining seed.
        step: the step, from 0.
        batch: sequences of a step, over all processes.
        n: sequences there are, at least 1.

    Returns:
        (batch,) int64, values in [0, n).

    Raises:
        ValueError: ``n`` or ``batch`` is below 1, or ``step`` is negative.
    """
    if n < 1 or batch < 1 or step < 0:
        raise ValueError(f"no order for step {step} of {batch} out of {n} sequences")
    first = step * batch
    indices = np.empty(batch, dtype=np.int64)
    done = 0
    while done < batch:
        epoch, start = divmod(first + done, n)
        number, offset = divmod(start, BLOCK)
        part = _block(number, n, seed, epoch)[offset : offset + batch - done]
        indices[done : done + len(part)] = part
        done += len(part)
    return indices


@lru_cache(maxsize=4)
def _block(number: int, n: int, seed: int, epoch: int) -> Indices:
    """Where the positions of block ``number`` are sent; not to be changed.

    The last blocks are kept: for a few positions the permutation costs as much as for hundreds.
    """
    positions = np.arange(number * BLOCK, min(n, (number + 1) * BLOCK), dtype=np.int64)
    return permuted(positions, n, seed, epoch)


def permuted(positions: Indices, n: int, seed: int, epoch: int) -> Indices:
    """Where the permutation of [0, n) that belongs to ``seed`` and ``epoch`` sends ``positions``.

    Args:
        positions: (k,) int64, values in [0, n).
        n: size of the permuted set, at least 1 and below 2**62.
        seed: the pretraining seed.
        epoch: the epoch, from 0.

    Returns:
        (k,) int64, values in [0, n).
    """
    side = isqrt(n - 1) + 1
    keys = np.array(
        [stream_key(seed, "order", epoch, turn) for turn in range(ROUNDS)], dtype=np.uint64
    )
    values = _network(positions.astype(np.uint64), np.uint64(side), keys)
    outside = np.flatnonzero(values >= n)
    while outside.size:
        values[outside] = _network(values[outside], np.uint64(side), keys)
        outside = outside[values[outside] >= n]
    return values.astype(np.int64)


def _network(
    values: NDArray[np.uint64], side: np.uint64, keys: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """A permutation of [0, side * side)."""
    left, right = np.divmod(values, side)
    for key in keys:
        left, right = right, (left + _mixed(right ^ key) % side) % side
    return left * side + right


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: every input bit moves every output bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
