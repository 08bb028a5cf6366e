"""The reference lines of one way to hide tokens, from counts of the training text.

Shape legend: N sequences, T tokens of each, V words, P tokens to be predicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from objbench.data.counts.bag_of_words import MOST_LOOKED_AT, BagOfWords
from objbench.data.counts.hidden_tokens import HiddenTokens, Values
from objbench.data.counts.mixture import mixture_weights
from objbench.data.counts.neighbours import NeighbourCounts
from objbench.data.counts.sorted_values import Ids
from objbench.data.heldout_split import spread
from objbench.data.packed_sequences import PackedSequences
from objbench.errors import DataError
from objbench.results.reference_lines import Lines

COUNTED_TOKENS = 20_000_000
"""Tokens of training text that are counted at most."""

FITTED_SHARE, FITTED_SEQUENCES = 0.01, 1000
"""Of these, the share that is not counted but kept for fitting weights, and how many at most."""

MOST_PREDICTED = 200_000
"""Tokens to be predicted that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class CountedText:
    """What was counted of the training text, and what was kept back.

    Attributes:
        special: (V,) bool, which tokens are special.
        neighbours, bag: the counts.
        kept_back: (n, T) int64 sequences that were not counted, to fit weights on.
        tokens: number of tokens counted, special ones not.
    """

    special: NDArray[np.bool_]
    neighbours: NeighbourCounts
    bag: BagOfWords
    kept_back: Ids
    tokens: int


def count_text(sequences: PackedSequences, special: NDArray[np.bool_]) -> CountedText:
    """Count the words of ``sequences``, at most ``COUNTED_TOKENS``, evenly spread over the text.

    A single sequence is both counted and kept.

    Args:
        sequences: the training text.
        special: (V,) bool, which tokens are special.

    Raises:
        DataError: there is no sequence, or no word in them.
    """
    sequences.require(1)
    count = min(len(sequences), max(2, COUNTED_TOKENS // sequences.length))
    rows = sequences.rows(spread(np.arange(len(sequences)), count))
    number = min(max(1, round(FITTED_SHARE * count)), FITTED_SEQUENCES)
    kept = np.zeros(count, dtype=bool)
    kept[spread(np.arange(count), number)] = True
    kept_back, rows = rows[kept], rows[~kept] if count > number else rows
    tokens = int((~special[rows]).sum())
    if not tokens:
        raise DataError(f"{sequences.name} holds no tokens but special ones")
    neighbours = NeighbourCounts.of(rows, special)
    words = np.arange(len(special))
    bag = BagOfWords.of(rows, special, neighbours.unigram(words))
    return CountedText(special, neighbours, bag, kept_back, tokens)


def measure_lines(text: CountedText, heldout: HiddenTokens, kept_back: HiddenTokens) -> Lines:
    """The mean loss of each model over the hidden tokens of held-out text.

    Args:
        text: what was counted.
        heldout: the tokens to be predicted.
        kept_back: tokens hidden in the same way in the text that was kept back, to fit weights on.

    Raises:
        DataError: no token is to be predicted.
    """
    if not len(heldout):
        raise DataError("no token of the held-out text is to be predicted")
    counts, vocabulary = text.neighbours, len(text.special)
    heldout, kept_back = heldout.at_most(MOST_PREDICTED), kept_back.at_most(MOST_PREDICTED)
    neighbours = None
    if not heldout.left_to_right:
        share = counts.left_share(kept_back)
        both = partial(counts.by_both, heldout, left_share=share)
        neighbours = float(heldout.losses(both, vocabulary).mean())
    by_left = partial(counts.by_left, heldout)
    return Lines(
        uniform=math.log(vocabulary),
        unigram=float(heldout.losses(counts.unigram, vocabulary).mean()),
        bag=_bag_loss(text, heldout, kept_back),
        bigram=float(heldout.losses(by_left, vocabulary).mean()),
        neighbours=neighbours,
    )


def _bag_loss(text: CountedText, heldout: HiddenTokens, kept_back: HiddenTokens) -> float:
    """By the bag of words, of as many tokens as take little time."""
    most = max(1, MOST_LOOKED_AT // heldout.original.shape[1])
    heldout, kept_back = heldout.at_most(most), kept_back.at_most(most)
    weights = mixture_weights(text.bag.models(kept_back, kept_back.words))

    def probability(words: Ids) -> Values:
        mixed: Values = weights @ text.bag.models(heldout, words)
        return mixed

    return float(heldout.losses(probability, len(text.special)).mean())
