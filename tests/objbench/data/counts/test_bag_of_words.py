"""Words by the other words of their sequence, against plain loops."""

import math

import numpy as np
import pytest

from objbench.data.counts import bag_of_words
from objbench.data.counts.bag_of_words import PRIOR, BagOfWords
from objbench.data.counts.hidden_tokens import NOTHING, HiddenTokens
from objbench.data.counts.mixture import mixture_weights

CLS, SEP, V = 0, 1, 9
SPECIAL = np.arange(V) < 2
UNIGRAM = np.array([0, 0, 0.3, 0.2, 0.1, 0.1, 0.15, 0.1, 0.05])


def text(seed, rows=40, length=10):
    draw = np.random.default_rng(seed)
    made = draw.choice(V - 1, (rows, length), p=np.array([0, 1, 3, 2, 2, 1, 1, 1]) / 11)
    made[:, 0] = CLS
    return made


def pairs_by_loops(rows):
    """C(v, w), by all pairs of two places."""
    found = np.zeros((V, V))
    for row in rows:
        for first in range(len(row)):
            for second in range(len(row)):
                if first != second and not SPECIAL[row[first]] and not SPECIAL[row[second]]:
                    found[row[first], row[second]] += 1
    return found


def triggers_by_loops(pairs):
    """p(w | v) and g(v)."""
    shares = np.array([(row + PRIOR * UNIGRAM) / (row.sum() + PRIOR) for row in pairs])
    told = [
        sum(p * math.log(p / q) for p, q in zip(row, UNIGRAM, strict=True) if q) for row in shares
    ]
    return shares, told


@pytest.mark.parametrize("seed", range(3))
def test_as_plain_loops_count(seed):
    rows = text(seed)
    bag = BagOfWords.of(rows, SPECIAL, UNIGRAM)
    pairs = pairs_by_loops(rows)
    shares, told = triggers_by_loops(pairs)
    found = np.zeros(V * V)
    found[bag.pairs] = bag.counts
    np.testing.assert_array_equal(found.reshape(V, V), pairs)
    np.testing.assert_allclose(bag.told[~SPECIAL], np.array(told)[~SPECIAL], atol=1e-12)

    visible = np.where(np.random.default_rng(seed).random((5, 10)) < 0.3, NOTHING, text(9, 5))
    columns = np.array([1, 9, 4, 3, 3])
    hidden = HiddenTokens(original=text(9, 5), visible=visible, rows=np.arange(5), columns=columns)
    for word in range(2, V):
        by_frequency, cached, triggered = bag.models(hidden, np.full(5, word))
        for at, row in enumerate(visible):
            others = [
                t
                for c, t in enumerate(row.tolist())
                if c != columns[at] and t not in (NOTHING, 0, 1)
            ]
            assert by_frequency[at] == UNIGRAM[word]
            assert cached[at] == pytest.approx(others.count(word) / len(others))
            expected = sum(told[v] * shares[v, word] for v in others) / sum(told[v] for v in others)
            assert triggered[at] == pytest.approx(expected, rel=1e-9)


def test_probabilities_of_all_words_add_up_to_1_also_where_nothing_is_visible():
    bag = BagOfWords.of(text(0), SPECIAL, UNIGRAM)
    visible = text(7, rows=30)
    visible[:10, 1:] = NOTHING
    visible[10:20, 1:] = SEP
    hidden = HiddenTokens(
        original=text(7, rows=30),
        visible=visible,
        rows=np.arange(30),
        columns=np.full(30, 4),
    )
    each = np.stack([bag.models(hidden, np.full(30, word)) for word in range(V)])
    np.testing.assert_allclose(each.sum(axis=0), 1, atol=1e-9)
    np.testing.assert_allclose(each[2:, :, 0], np.tile(UNIGRAM[2:, np.newaxis], 3))
    np.testing.assert_allclose(each[2:, :, 10], np.tile(UNIGRAM[2:, np.newaxis], 3))


def test_the_order_of_words_does_not_matter():
    bag = BagOfWords.of(text(0), SPECIAL, UNIGRAM)
    visible = text(7, rows=20)
    shuffled = visible.copy()
    draw = np.random.default_rng(0)
    for row in shuffled:
        row[2:] = draw.permutation(row[2:])

    def models(visible):
        places = HiddenTokens(
            original=visible, visible=visible, rows=np.arange(20), columns=np.ones(20, np.int64)
        )
        return bag.models(places, np.full(20, 3))

    np.testing.assert_allclose(models(visible), models(shuffled))


def test_words_of_a_topic_are_told_by_the_topic():
    # Two topics with words of their own, 2 to 4 and 5 to 7, and one word, 8, of both.
    draw = np.random.default_rng(0)
    topics = np.array([[0.3, 0.3, 0.3, 0, 0, 0, 0.1], [0, 0, 0, 0.3, 0.3, 0.3, 0.1]])
    rows = np.stack([2 + draw.choice(7, 12, p=topics[number % 2]) for number in range(2000)])
    rows[:, 0] = CLS
    unigram = np.concatenate([[0, 0], topics.mean(axis=0)])
    bag = BagOfWords.of(rows[:1800], SPECIAL, unigram)
    assert bag.told[8] < 0.01
    assert bag.told[2:8].min() > 0.4

    def hidden(rows):
        return HiddenTokens(
            original=rows, visible=rows, rows=np.arange(100), columns=np.full(100, 5)
        )

    kept_back, heldout = hidden(rows[1800:1900]), hidden(rows[1900:])
    weights = mixture_weights(bag.models(kept_back, kept_back.words))
    loss = -np.log(weights @ bag.models(heldout, heldout.words)).mean()
    entropy = -(topics[0, topics[0] > 0] * np.log(topics[0, topics[0] > 0])).sum()
    by_frequency = -np.log(unigram[heldout.words]).mean()
    assert entropy - 0.1 < loss < entropy + 0.1 < by_frequency - 0.4


def test_long_sequences_are_cut_and_no_more_pairs_are_counted_than_are_allowed(monkeypatch):
    monkeypatch.setattr(bag_of_words, "STRETCH", 5)
    whole = BagOfWords.of(text(0), SPECIAL, UNIGRAM)
    halves = text(0).reshape(-1, 5)
    assert whole.counts.sum() == pairs_by_loops(halves).sum()
    monkeypatch.setattr(bag_of_words, "MOST_PAIRS", 5 * 5 * 8)
    fewer = BagOfWords.of(text(0), SPECIAL, UNIGRAM)
    assert fewer.counts.sum() == pairs_by_loops(halves[::10]).sum()
