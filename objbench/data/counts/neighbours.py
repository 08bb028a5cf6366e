"""Words by their frequency, by the word to the left, and by the words on both sides.

A neighbour that is [MASK] says nothing, and the model without it is used. One that was replaced by a
random token is taken at its word: 1.5% of the visible neighbours are.

Shape legend: N sequences, T tokens, V words, P tokens to be predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from objbench.data.counts.discounted_counts import DiscountedCounts
from objbench.data.counts.hidden_tokens import NOTHING, HiddenTokens, Values
from objbench.data.counts.mixture import mixture_weights
from objbench.data.counts.sorted_values import Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourCounts:
    """The counts of words, alone and beside their neighbours.

    Special tokens are no words: they are counted as neighbours only.

    Attributes:
        uniform: (V,) float64, one probability for all words, 0 for special tokens.
        alone: of words, all of them in the context 0.
        after, before: of words by the token to the left, and by the token to the right.
        between: of words by both, in the context V * left + right.
    """

    uniform: Values
    alone: DiscountedCounts
    after: DiscountedCounts
    before: DiscountedCounts
    between: DiscountedCounts

    @staticmethod
    def of(rows: Ids, special: NDArray[np.bool_]) -> NeighbourCounts:
        """The counts of sequences.

        Args:
            rows: (N, T) int64; the first token of each is special.
            special: (V,) bool, which tokens are.
        """
        is_word, vocabulary = ~special[rows], len(special)
        left, right = rows[:, :-1], rows[:, 1:]
        middle = is_word[:, 1:-1]

        def counted(contexts: Ids, words: Ids) -> DiscountedCounts:
            return DiscountedCounts.of(contexts, words, vocabulary)

        words = rows[is_word]
        return NeighbourCounts(
            uniform=~special / max(int((~special).sum()), 1),
            alone=counted(np.zeros_like(words), words),
            after=counted(left[is_word[:, 1:]], right[is_word[:, 1:]]),
            before=counted(right[is_word[:, :-1]], left[is_word[:, :-1]]),
            between=counted(
                (rows[:, :-2] * vocabulary + rows[:, 2:])[middle], rows[:, 1:-1][middle]
            ),
        )

    @property
    def vocabulary(self) -> int:
        """V."""
        return len(self.uniform)

    def unigram(self, words: Ids) -> Values:
        """The probability of each of (P,) words by its frequency."""
        return self.alone.probability(np.zeros_like(words), words, self.uniform[words])

    def by_left(self, hidden: HiddenTokens, words: Ids) -> Values:
        """Of each of (P,) words in the place of a hidden one, by the token to the left of it."""
        return self._by(self.after, hidden.left, words)

    def by_right(self, hidden: HiddenTokens, words: Ids) -> Values:
        """By the token to the right."""
        return self._by(self.before, hidden.right, words)

    def by_both(self, hidden: HiddenTokens, words: Ids, left_share: float) -> Values:
        """By the tokens on both sides, or by the one that is visible.

        Args:
            left_share: of the left neighbour in the mixture that pairs of neighbours fall back on.
        """
        left, right = hidden.left, hidden.right
        by_left, by_right = self.by_left(hidden, words), self.by_right(hidden, words)
        either = left_share * by_left + (1 - left_share) * by_right
        both = self.between.probability(left * self.vocabulary + right, words, either)
        one = np.where(left == NOTHING, by_right, by_left)
        return np.where((left == NOTHING) | (right == NOTHING), one, both)

    def left_share(self, hidden: HiddenTokens) -> float:
        """The left neighbour's share in that mixture, fitted on hidden tokens of uncounted text."""
        seen_both = (hidden.left != NOTHING) & (hidden.right != NOTHING)
        # The mixture's probability is that of its two ends in the same shares.
        ends = [self.by_both(hidden, hidden.words, share)[seen_both] for share in (1.0, 0.0)]
        return float(mixture_weights(np.stack(ends))[0])

    def _by(self, counts: DiscountedCounts, neighbours: Ids, words: Ids) -> Values:
        alone = self.unigram(words)
        return np.where(neighbours == NOTHING, alone, counts.probability(neighbours, words, alone))
