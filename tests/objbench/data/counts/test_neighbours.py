"""Words by frequency and by their neighbours, against plain loops."""

from collections import Counter

import numpy as np
import pytest

from objbench.data.counts.hidden_tokens import NOTHING, HiddenTokens
from objbench.data.counts.neighbours import NeighbourCounts

CLS, SEP, V = 0, 1, 8
SPECIAL = np.arange(V) < 2


def text(seed, rows=12, length=9):
    draw = np.random.default_rng(seed)
    made = draw.choice(V, (rows, length), p=[0, 0.1, 0.3, 0.2, 0.2, 0.1, 0.1, 0])
    made[:, 0] = CLS
    return made


def hidden(visible):
    """Every token after the first, one at a time, in the sequences ``visible``."""
    rows, columns = np.nonzero(np.arange(visible.shape[1]) * np.ones((len(visible), 1)) > 0)
    return HiddenTokens(original=visible, visible=visible, rows=rows, columns=columns)


class Loops:
    """The same models, one pair at a time."""

    def __init__(self, rows):
        self.rows = rows.tolist()
        places = [(row, at) for row in self.rows for at in range(len(row)) if not SPECIAL[row[at]]]
        self.alone = Counter((0, row[at]) for row, at in places)
        self.after = Counter((row[at - 1], row[at]) for row, at in places)
        inner = [(row, at) for row, at in places if at + 1 < len(row)]
        self.before = Counter((row[at + 1], row[at]) for row, at in inner)
        self.between = Counter(((row[at - 1], row[at + 1]), row[at]) for row, at in inner)

    @staticmethod
    def discounted(counts, context, word, coarser):
        once, twice = (sum(1 for c in counts.values() if c == n) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        found = {w: c for (h, w), c in counts.items() if h == context}
        total = sum(found.values())
        if not total:
            return coarser
        share = max(found.get(word, 0) - discount, 0) / total
        return share + discount * len(found) / total * coarser

    def unigram(self, word):
        return self.discounted(self.alone, 0, word, 0.0 if SPECIAL[word] else 1 / (V - 2))

    def bigram(self, counts, neighbour, word):
        alone = self.unigram(word)
        return alone if neighbour is None else self.discounted(counts, neighbour, word, alone)

    def both(self, left, right, word, share):
        by_left, by_right = (
            self.bigram(self.after, left, word),
            self.bigram(self.before, right, word),
        )
        if left is None or right is None:
            return by_right if left is None else by_left
        mixed = share * by_left + (1 - share) * by_right
        return self.discounted(self.between, (left, right), word, mixed)


@pytest.mark.parametrize("seed", range(3))
def test_as_plain_loops_count(seed):
    rows = text(seed)
    counts, loops = NeighbourCounts.of(rows, SPECIAL), Loops(rows)
    asked = text(seed + 100, rows=6)
    visible = np.where(np.random.default_rng(seed).random(asked.shape) < 0.3, NOTHING, asked)
    places = hidden(visible)
    lefts, rights = (
        [None if token == NOTHING else int(token) for token in side]
        for side in (places.left, places.right)
    )
    for word in range(V):
        words = np.full(len(places), word)
        np.testing.assert_allclose(counts.unigram(words), loops.unigram(word), rtol=1e-12)
        np.testing.assert_allclose(
            counts.by_left(places, words), [loops.bigram(loops.after, a, word) for a in lefts]
        )
        np.testing.assert_allclose(
            counts.by_right(places, words), [loops.bigram(loops.before, b, word) for b in rights]
        )
        np.testing.assert_allclose(
            counts.by_both(places, words, 0.3),
            [loops.both(a, b, word, 0.3) for a, b in zip(lefts, rights, strict=True)],
        )


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_all_words_add_up_to_1_and_special_tokens_have_none(seed):
    counts = NeighbourCounts.of(text(seed), SPECIAL)
    places = hidden(np.where(text(seed + 50) == 3, NOTHING, text(seed + 50)))
    models = (
        lambda words: counts.unigram(words),
        lambda words: counts.by_left(places, words),
        lambda words: counts.by_right(places, words),
        lambda words: counts.by_both(places, words, 0.6),
    )
    for model in models:
        each = np.stack([model(np.full(len(places), word)) for word in range(V)])
        np.testing.assert_allclose(each.sum(axis=0), 1, atol=1e-12)
        assert (each[SPECIAL] == 0).all() and (each[~SPECIAL] > 0).all()


def test_the_left_share_is_the_likeliest():
    # The word to the left decides; the one to the right is drawn independently of it.
    draw = np.random.default_rng(0)
    rows = np.zeros((400, 9), dtype=np.int64)
    for column in range(1, 9):
        follows = 2 + (rows[:, column - 1] + 1) % (V - 2)
        rows[:, column] = np.where(draw.random(400) < 0.3, draw.integers(2, V, 400), follows)
    counts, kept_back = NeighbourCounts.of(rows[:300], SPECIAL), hidden(rows[300:])
    found = counts.left_share(kept_back)
    losses = {
        share: -np.log(counts.by_both(kept_back, kept_back.words, share)).mean()
        for share in (found, *np.linspace(0, 1, 21))
    }
    assert found > 0.6
    # The worst share loses 6 thousandths.
    assert losses[found] <= min(losses.values()) + 5e-4


def test_sequences_of_two_tokens_have_no_words_between():
    counts = NeighbourCounts.of(np.array([[CLS, 3], [CLS, 4]]), SPECIAL)
    places = hidden(np.array([[CLS, 3]]))
    words = np.array([3])
    np.testing.assert_allclose(counts.by_both(places, words, 0.5), counts.by_left(places, words))
