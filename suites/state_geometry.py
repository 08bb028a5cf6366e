"""The geometry of token states: means over all pairs, from sums alone.

The mean cosine over pairs of unit vectors u needs no pair: the sum over i, j of u_i . u_j is the
squared length of the sum of all u. Pairs within a sequence are separated from pairs of different
sequences by the sums of each sequence, so nothing grows with the square of the number of tokens.
Everything is float64.

Shape legend: N sequences, T tokens of each, S tokens that count, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from objbench.contract.suite import EvaluationContext
from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.embed import sequence_states
from objbench.errors import DataError

Array = NDArray[np.float64]

MIN_LENGTH = 5
"""Shortest sequence, in tokens, with two halves of two tokens after [CLS]."""

_TINY = 1e-12


def measured(
    encoder: Path, rows: NDArray[np.int64], context: EvaluationContext
) -> Mapping[str, float]:
    """The numbers of the representation suite, by column.

    Args:
        encoder: folder of an exported encoder.
        rows: (N, T) int64 token ids; column 0 is [CLS].
        context: device and precision.

    Raises:
        DataError: there are fewer than two sequences, or they are shorter than ``MIN_LENGTH``.
        CheckpointError: the folder holds no encoder.
        FloatingPointError: a state is not finite.
    """
    if len(rows) < 2 or rows.shape[1] < MIN_LENGTH:
        raise DataError(
            f"{len(rows)} held-out sequences of {rows.shape[1]} tokens: their geometry needs at "
            f"least 2 sequences of {MIN_LENGTH}; use more text or longer sequences"
        )
    special = np.array(load_tokenizer(encoder).vocabulary().special)
    states, added = PairSums(), PairSums()
    gram: Array = np.zeros(())
    done = 0
    for hidden, embedded in sequence_states(encoder, rows, context):
        own = ~np.isin(rows[done : done + len(hidden)], special)
        done += len(hidden)
        wide = hidden.astype(np.float64)
        states.add(wide, own)
        added.add(wide - embedded, own)
        flat = wide[own]
        gram = gram + flat.T @ flat
    first, second = (half_means(encoder, half, special, context) for half in halves(rows))
    return {
        "alignment": alignment(first, second),
        "uniformity": (uniformity(first) + uniformity(second)) / 2,
        "anisotropy": states.across,
        "effective_rank": effective_rank(gram),
        "closeness": added.within - added.across,
    }


class PairSums:
    """Mean cosines of pairs of tokens, accumulated batch by batch.

    Attributes:
        sums: (D,) the sums of each sequence's unit vectors.
        counts: how many each sequence has.
    """

    def __init__(self) -> None:
        self.sums: list[Array] = []
        self.counts: list[int] = []

    def add(self, vectors: Array, own: NDArray[np.bool_]) -> None:
        """Add (B, T, D) vectors of further sequences; ``own``, (B, T), says which ones count."""
        units = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY)
        self.sums += list((units * own[..., None]).sum(axis=1))
        self.counts += own.sum(axis=1).tolist()

    @property
    def within(self) -> float:
        """Mean cosine of two different tokens of one sequence, over all such pairs."""
        counts = np.array(self.counts, dtype=np.float64)
        squares = np.array([float(total @ total) for total in self.sums])
        # A token with itself has the cosine 1 and is not a pair.
        return float((squares - counts).sum() / (counts * (counts - 1)).sum())

    @property
    def across(self) -> float:
        """Mean cosine of two tokens of different sequences, over all such pairs."""
        counts = np.array(self.counts, dtype=np.float64)
        total = np.sum(self.sums, axis=0)
        inside = sum(float(one @ one) for one in self.sums)
        pairs = counts.sum() ** 2 - (counts**2).sum()
        return float((total @ total - inside) / pairs)


def halves(rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both halves of (N, T) sequences, (N, 1 + (T - 1) // 2) each, [CLS] before either."""
    size = (rows.shape[1] - 1) // 2
    first, second = rows[:, 1 : 1 + size], rows[:, 1 + size : 1 + 2 * size]
    return np.hstack([rows[:, :1], first]), np.hstack([rows[:, :1], second])


def half_means(
    encoder: Path, half: NDArray[np.int64], special: NDArray[np.int64], context: EvaluationContext
) -> Array:
    """(N, D) the mean of each half's token states, special tokens left out, at unit length."""
    parts = []
    done = 0
    for hidden, _ in sequence_states(encoder, half, context):
        own = ~np.isin(half[done : done + len(hidden)], special)
        done += len(hidden)
        sums = (hidden.astype(np.float64) * own[..., None]).sum(axis=1)
        parts.append(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _TINY))
    return np.concatenate(parts)


def alignment(first: Array, second: Array) -> float:
    """Mean squared distance of positive pairs, (N, D) unit vectors each."""
    return float(((first - second) ** 2).sum(axis=1).mean())


def uniformity(vectors: Array) -> float:
    """The log of the mean over pairs i < j of exp(-2 |x_i - x_j|^2), of (N, D) unit vectors."""
    # Of unit vectors the squared distance is 2 - 2 cos.
    distances = 2 - 2 * vectors @ vectors.T
    pairs = distances[np.triu_indices(len(vectors), k=1)]
    return float(np.log(np.exp(-2 * pairs).mean()))


def effective_rank(gram: Array) -> float:
    """The exponential of the entropy of p = s / sum(s), with s the singular values of the (S, D) states.

    Args:
        gram: (D, D) the states' products, whose eigenvalues are the squares of s.
    """
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    shares = values / max(float(values.sum()), _TINY)
    kept = shares[shares > 0]
    return float(np.exp(-(kept * np.log(kept)).sum()))
