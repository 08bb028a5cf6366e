"""Tokens that are to be predicted, and what is visible of the text around each.

Two ways to hide tokens: "masked", as BERT does, where 80% of the predicted tokens become [MASK], 10%
a random token and 10% stay; and "next", where a token is predicted from those before it.

Shape legend: N sequences, T tokens of each, P tokens to be predicted, S visible tokens of them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from objbench.data.counts.sorted_values import Ids
from objbench.data.heldout_split import spread

NOTHING = -1
"""In place of a token where nothing is visible: there is no token, or it is [MASK]."""

RANDOM_SHARE, KEPT_SHARE = 0.1, 0.1
"""Shares of the masked tokens that become a random token, and that stay as they are: BERT's."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenTokens:
    """Tokens to be predicted.

    Attributes:
        original: (N, T) int64, the text.
        visible: (N, T) int64, what can be read of it, right or wrong; ``NOTHING`` at [MASK].
        rows, columns: (P,) int64, where the tokens are.
        left_to_right: whether only the tokens before a token are visible, and not its own place.
    """

    original: Ids
    visible: Ids
    rows: Ids
    columns: Ids
    left_to_right: bool = False

    def __len__(self) -> int:
        """P, the number of tokens to be predicted."""
        return len(self.rows)

    @property
    def words(self) -> Ids:
        """(P,) int64, the tokens to be predicted."""
        return self.original[self.rows, self.columns]

    @property
    def seen(self) -> Ids:
        """(P,) int64, what is visible in the place of each token."""
        if self.left_to_right:
            return np.full(len(self), NOTHING)
        return self.visible[self.rows, self.columns]

    @property
    def left(self) -> Ids:
        """(P,) int64, what is visible one place before each token."""
        before = self.visible[self.rows, np.maximum(self.columns - 1, 0)]
        return np.where(self.columns > 0, before, NOTHING)

    @property
    def right(self) -> Ids:
        """(P,) int64, what is visible one place after each token."""
        last = self.visible.shape[1] - 1
        after = self.visible[self.rows, np.minimum(self.columns + 1, last)]
        hidden = self.left_to_right | (self.columns == last)
        return np.where(hidden, NOTHING, after)

    def others(self) -> tuple[Ids, Ids]:
        """The tokens visible anywhere else in the sequence, in no order.

        Returns:
            (S,) int64, which of the P tokens it is visible for, rising, and (S,) int64, the token.
        """
        columns = np.arange(self.visible.shape[1])
        own = self.columns[:, np.newaxis]
        elsewhere = columns < own if self.left_to_right else columns != own
        around = self.visible[self.rows]
        owners, places = np.nonzero(elsewhere & (around != NOTHING))
        return owners, around[owners, places]

    def at_most(self, count: int) -> HiddenTokens:
        """``count`` of the tokens, evenly spread, or all if there are no more."""
        chosen = spread(np.arange(len(self)), min(count, len(self)))
        return replace(self, rows=self.rows[chosen], columns=self.columns[chosen])

    def losses(self, probability: Callable[[Ids], Values], vocabulary: int) -> Values:
        """The loss of each token in nats, (P,) float64, by a model of tokens in context.

        A token that is not [MASK] informs of itself. With the model's q, a token w that is predicted
        and seen as x has

            p(w | x) = q(w) P(x | w) / sum over v of q(v) P(x | v),
            P(x | w) = KEPT_SHARE [x = w] + RANDOM_SHARE / V where x is not [MASK],

        so that the sum is KEPT_SHARE q(x) + RANDOM_SHARE / V. [MASK] is as likely for any w.

        Args:
            probability: (P,) tokens -> q of each in the place of its own, (P,), adding up to 1 over
                all tokens.
            vocabulary: V, the number of tokens that a random one is drawn from.
        """
        words, seen = self.words, self.seen
        of_word, of_seen = probability(words), probability(np.where(seen == NOTHING, words, seen))
        by_chance = RANDOM_SHARE / vocabulary
        informed = of_word * (KEPT_SHARE * (seen == words) + by_chance)
        informed /= KEPT_SHARE * of_seen + by_chance
        return -np.log(np.where(seen == NOTHING, of_word, informed))


def masked_tokens(
    original: Ids, read: Ids, predicted: NDArray[np.bool_], mask: int
) -> HiddenTokens:
    """The tokens that masked language modelling predicts.

    Args:
        original: (N, T) int64, the text.
        read: (N, T) int64, the text as it was corrupted.
        predicted: (N, T) bool.
        mask: id of [MASK].
    """
    rows, columns = np.nonzero(predicted)
    visible = np.where(read == mask, NOTHING, read)
    return HiddenTokens(original=original, visible=visible, rows=rows, columns=columns)


def next_tokens(original: Ids, special: NDArray[np.bool_]) -> HiddenTokens:
    """Every token after the first of a sequence that is not special, from those before it.

    Args:
        original: (N, T) int64, the text.
        special: (V,) bool, which tokens are special.
    """
    predicted = ~special[original]
    predicted[:, 0] = False
    rows, columns = np.nonzero(predicted)
    return HiddenTokens(
        original=original, visible=original, rows=rows, columns=columns, left_to_right=True
    )
