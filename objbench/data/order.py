"""The order of sequences: a keyed permutation for each epoch, in constant memory.

The sequences of a step are a pure function of (seed, step, batch size, number of sequences). No
shuffled index is stored, so every objective, any number of processes and every resumed run see the
same order, however large the corpus is.

The permutation is a Feistel network over pairs (left, right) of residues modulo s, the least s with
s * s >= n. A result of n or above is permuted again until it is below n ("cycle walking"); s * s
exceeds n by so little that this is rare.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from objbench.contract.random_streams import stream_key

ROUNDS = 8
"""In theory four rounds make a Feistel network indistinguishable from random; twice as many are
used for the small domains and the fast, non-cryptographic mixing here."""

BLOCK = 2048
"""Positions that are computed at once."""

Indices = NDArray[np.int64]


def batch_indices(seed: int, step: int, batch: int, n: int) -> Indices:
    """The sequences of one step: ``batch`` positions from step * batch on, over all epochs.

    A step may end one epoch and begin the next.

    Args:
        seed: the pretraining seed.
        step: the step, from 0.
        batch: sequences of a step, over all processes.
        n: number of sequences, at least 1.

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
    """The permuted positions of block ``number``; not to be changed in place.

    The last blocks are cached: a few positions cost as much to permute as hundreds.
    """
    positions = np.arange(number * BLOCK, min(n, (number + 1) * BLOCK), dtype=np.int64)
    return permuted(positions, n, seed, epoch)


def permuted(positions: Indices, n: int, seed: int, epoch: int) -> Indices:
    """The images of ``positions`` under the permutation of [0, n) of ``seed`` and ``epoch``.

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
