"""Counts of words in contexts, as conditional probabilities with absolute discounting.

With c(h, w) how often w was found in the context h, N1+(h) the number of different words there and a
discount D, the probability is interpolated with that of a coarser model:

    p(w | h) = max(c(h, w) - D, 0) / c(h) + D N1+(h) / c(h) p_coarser(w),   D = n1 / (n1 + 2 n2),

n1 and n2 the numbers of pairs found once and twice (Ney, Essen and Kneser 1994; Chen and Goodman
1999, An empirical study of smoothing techniques, section 2.7). A context that was never found leaves
all to the coarser model.

Shape legend: n pairs counted, U different pairs, H different contexts, P pairs asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.data.counts.hidden_tokens import Values
from objbench.data.counts.sorted_values import Ids, counted, looked_up, runs

NO_ESTIMATE = 0.5
"""The discount where no pair was found once: with none, a word never found would be impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountedCounts:
    """The counts of words in contexts.

    Attributes:
        vocabulary: V; words are below it.
        pairs: (U,) int64, V * context + word of each different pair, rising.
        counts: (U,) int64, how often each was found.
        contexts: (H,) int64, the different contexts, rising.
        totals: (H,) int64, how often each was found.
        types: (H,) int64, the number of different words in each.
        discount: D, in (0, 1].
    """

    vocabulary: int
    pairs: Ids
    counts: Ids
    contexts: Ids
    totals: Ids
    types: Ids
    discount: float

    @staticmethod
    def of(contexts: Ids, words: Ids, vocabulary: int) -> DiscountedCounts:
        """The counts of the pairs of ``contexts`` and ``words``, (n,) int64 each, all at least 0.

        Raises:
            OverflowError: there are more possible pairs than numbers of 64 bits.
        """
        if int(contexts.max(initial=0)) >= np.iinfo(np.int64).max // vocabulary:
            raise OverflowError(f"too many contexts to count with {vocabulary:,} words")
        pairs, counts = counted(contexts * vocabulary + words)
        found, types = runs(pairs // vocabulary)
        totals = np.add.reduceat(counts, np.cumsum(types) - types)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        return DiscountedCounts(
            vocabulary=vocabulary,
            pairs=pairs,
            counts=counts,
            contexts=found,
            totals=totals,
            types=types,
            discount=once / (once + 2 * twice) if once else NO_ESTIMATE,
        )

    def parts(self, contexts: Ids, words: Ids) -> tuple[Values, Values]:
        """What the counts give to each word in its context, and the share that they leave.

        Args:
            contexts, words: (P,) int64.

        Returns:
            max(c(h, w) - D, 0) / c(h) and D N1+(h) / c(h), (P,) float64; 0 and 1 for a context that
            was never found.
        """
        totals = looked_up(self.contexts, self.totals, contexts)
        types = looked_up(self.contexts, self.types, contexts)
        pairs = looked_up(self.pairs, self.counts, contexts * self.vocabulary + words)
        known = np.maximum(totals, 1)
        left_over = np.where(totals > 0, self.discount * types / known, 1.0)
        return np.maximum(pairs - self.discount, 0.0) / known, left_over

    def probability(self, contexts: Ids, words: Ids, coarser: Values) -> Values:
        """p(w | h) of (P,) words in (P,) contexts, from the (P,) probabilities of a coarser model."""
        share, left_over = self.parts(contexts, words)
        return share + left_over * coarser
