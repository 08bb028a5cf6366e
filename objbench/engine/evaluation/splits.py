"""Splits of labelled sentences that depend on their text, not on their order in a file.

Examples are sorted by a keyed hash of their sentences. Every encoder, machine and run then holds
out the same ones, whatever the order of the file, and equal sentences are neighbours, so that a
split rarely separates them.

Shape legend: N examples.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from objbench.contract.random_streams import stream_key
from objbench.engine.evaluation.batching import subset_rows
from objbench.engine.evaluation.examples import Examples, Source
from objbench.errors import DataError

HELD_OUT = 5
"""One in this many training examples is held out."""


def hashed_order(examples: Examples) -> NDArray[np.int64]:
    """The rows, (N,), in the order of the hash of their sentences, then of their labels."""
    key = stream_key(0, "split").to_bytes(8, "big")
    texts = (
        examples.first
        if examples.second is None
        else map("\x1f".join, zip(examples.first, examples.second, strict=True))
    )
    hashes = (
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
        for text in texts
    )
    numbers = np.frombuffer(b"".join(hashes), np.uint64)
    return np.lexsort((examples.labels, numbers))


def held_count(total: int) -> int:
    """How many of ``total`` training examples are held out: a fifth, rounded down.

    Raises:
        DataError: there are too few to hold out any.
    """
    if total < HELD_OUT:
        raise DataError(
            f"{total} training examples are too few to hold out one of {HELD_OUT}: "
            "allow more of them"
        )
    return total // HELD_OUT


def first_hashed(source: Source, count: int | None = None) -> Source:
    """At most ``count`` of the examples, the first in hashed order; all where it is None."""

    @cache
    def load() -> Examples:
        examples = source.load()
        return examples.take(hashed_order(examples)[:count])

    return Source(f"{source.fingerprint} first {count} hashed", load)


def subsample(source: Source, count: int | None) -> Source:
    """At most ``count`` of the examples, those that ``finetune`` trains on with such a cap."""
    if count is None:
        return source

    @cache
    def load() -> Examples:
        examples = source.load()
        if count >= len(examples):
            return examples
        return examples.take(subset_rows(len(examples), count))

    return Source(f"{source.fingerprint} subset {count}", load)


def hold_out(source: Source) -> tuple[Source, Source]:
    """(all but the last fifth, the last fifth) of the examples in hashed order.

    Loading either raises ``DataError`` where there are fewer than five examples.
    """

    @cache
    def parts() -> tuple[Examples, Examples]:
        examples = source.load()
        order = hashed_order(examples)
        cut = len(order) - held_count(len(order))
        return examples.take(order[:cut]), examples.take(order[cut:])

    return (
        Source(f"{source.fingerprint} kept", lambda: parts()[0]),
        Source(f"{source.fingerprint} held out", lambda: parts()[1]),
    )
