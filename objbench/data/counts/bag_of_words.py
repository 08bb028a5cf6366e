"""Words by the other words of their sequence, whatever the order of these.

A mixture of three models, with weights that are fitted on text that was not counted:

- the frequency of the word w, q(w);
- a cache (Kuhn and De Mori 1990): the share of w among the visible words of the sequence;
- triggers (Lau, Rosenfeld and Roukos 1993): which words occur together. With C(v, w) the number of
  pairs of two places of one stretch of text that hold v and w,

      p(w | v) = (C(v, w) + PRIOR q(w)) / (C(v) + PRIOR),
      p(w | bag) = sum over visible v of g(v) p(w | v) / sum of g(v),

  where g(v) is what v tells: the Kullback-Leibler divergence of p(. | v) from q, in nats.

Shape legend: N sequences, T tokens, V words, U different pairs of words, P tokens to be predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from objbench.data.counts.hidden_tokens import HiddenTokens, Values
from objbench.data.counts.sorted_values import Ids, looked_up
from objbench.data.heldout_split import spread

PRIOR = 200.0
"""Pairs of each word v that are thought to be as frequency alone has them, beside those found."""

STRETCH = 64
"""Tokens of a stretch within which words occur together; longer sequences are cut into several."""

MOST_PAIRS = 100_000_000
"""Pairs of places that are counted; each takes about 10 ns."""

MOST_LOOKED_AT = 1_000_000
"""Visible words whose company is looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BagOfWords:
    """Which words occur together.

    Attributes:
        unigram: (V,) float64, q.
        pairs: (U,) int64, V * v + w of the words found together, rising.
        counts: (U,) int64, C(v, w) of these.
        totals: (V,) int64, C(v), the sum over all w.
        told: (V,) float64, g, nats; 0 for special tokens.
    """

    unigram: Values
    pairs: Ids
    counts: Ids
    totals: Ids
    told: Values

    @staticmethod
    def of(rows: Ids, special: NDArray[np.bool_], unigram: Values) -> BagOfWords:
        """Counts the words of (N, T) int64 sequences, or of as many of them as take little time.

        Args:
            rows: sequences, of which those used are evenly spread.
            special: (V,) bool, which tokens are special: no words.
            unigram: (V,) float64, q, 0 for special tokens only.
        """
        width = min(rows.shape[1], STRETCH)
        stretches = rows[:, : rows.shape[1] // width * width].reshape(-1, width)
        count = min(len(stretches), max(1, MOST_PAIRS // width**2))
        stretches = stretches[spread(np.arange(len(stretches)), count)]
        pairs, counts = _together(stretches, special)
        first = pairs // len(special)
        totals = np.bincount(first, weights=counts, minlength=len(special)).astype(np.int64)
        told = _told(first, pairs % len(special), counts, totals, unigram)
        return BagOfWords(unigram=unigram, pairs=pairs, counts=counts, totals=totals, told=told)

    def models(self, hidden: HiddenTokens, words: Ids) -> Values:
        """(3, P) float64 probabilities of (P,) words in the places of hidden ones.

        By frequency, by the cache and by the triggers. A place without visible words leaves the
        other two to frequency.
        """
        by_frequency = self.unigram[words]
        owners, others = hidden.others()
        # Special tokens have no company.
        owners, others = (found[self.unigram[others] > 0] for found in (owners, others))

        def summed(values: Values) -> Values:
            return np.bincount(owners, values, len(words)).astype(np.float64)

        number = summed(np.ones(len(owners)))
        same = summed((others == words[owners]).astype(np.float64))
        cached = np.where(number > 0, same / np.maximum(number, 1), by_frequency)

        told, scale = self.told[others], self.told[others] / (self.totals[others] + PRIOR)
        pairs = others * len(self.unigram) + words[owners]
        together = summed(scale * looked_up(self.pairs, self.counts, pairs))
        together += PRIOR * summed(scale) * by_frequency
        whole = summed(told)
        triggered = np.where(whole > 0, together / np.where(whole > 0, whole, 1.0), by_frequency)
        return np.stack([by_frequency, cached, triggered])


def _together(stretches: Ids, special: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """V * v + w, rising, and C(v, w), over all pairs of two places of one stretch."""
    is_word = ~special[stretches]
    places, words = np.nonzero(is_word)[0], stretches[is_word]
    shape = (len(stretches), len(special))
    held = sparse.csr_array((np.ones(len(words), np.int32), (places, words)), shape=shape)
    held.sum_duplicates()
    found = sparse.csr_array(held.T @ held)
    found.sort_indices()
    first = np.repeat(np.arange(len(special)), np.diff(found.indptr))
    # A place is no company of itself.
    alone = np.bincount(words, minlength=len(special))
    counts = found.data - alone[first] * (first == found.indices)
    return first * len(special) + found.indices, counts


def _told(first: Ids, second: Ids, counts: Ids, totals: Ids, unigram: Values) -> Values:
    """g, from the pairs (v, w) that were found and, for all the others of each v, in one term.

    A word w that was never found with v has p(w | v) = s q(w) with s = PRIOR / (C(v) + PRIOR).
    """
    kept = PRIOR / (totals + PRIOR)
    expected = unigram[second]
    share = kept[first] * expected
    probability = counts / (totals + PRIOR)[first] + share
    terms = probability * np.log(probability / expected) - share * np.log(kept)[first]
    told: Values = np.bincount(first, weights=terms, minlength=len(totals)) + kept * np.log(kept)
    return np.maximum(told, 0.0)
