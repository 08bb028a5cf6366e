"""Absolute discounting, against plain loops and counts made by hand."""

from collections import Counter

import numpy as np
import pytest

from objbench.data.counts.discounted_counts import NO_ESTIMATE, DiscountedCounts

V = 11


def made(pairs):
    contexts, words = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return DiscountedCounts.of(contexts, words, V)


def by_loops(pairs, context, word):
    """max(c - D, 0) / c(h) and D N1+(h) / c(h), straight from the formula."""
    counts = Counter(pairs)
    once = sum(1 for c in counts.values() if c == 1)
    twice = sum(1 for c in counts.values() if c == 2)
    discount = once / (once + 2 * twice) if once else NO_ESTIMATE
    total = sum(c for (h, _), c in counts.items() if h == context)
    types = sum(1 for h, _ in counts if h == context)
    if not total:
        return 0.0, 1.0
    return max(counts[context, word] - discount, 0) / total, discount * types / total


@pytest.mark.parametrize("seed", range(5))
def test_as_plain_loops_count(seed):
    draw = np.random.default_rng(seed)
    pairs = [(int(h), int(w)) for h, w in draw.geometric(0.3, (60, 2)).clip(max=V) - 1]
    counts = made(pairs)
    asked = [(h, w) for h in range(-1, V + 2) for w in range(V)]
    share, left_over = counts.parts(*np.array(asked).T)
    expected = np.array([by_loops(pairs, *pair) for pair in asked])
    np.testing.assert_allclose(share, expected[:, 0], rtol=1e-14)
    np.testing.assert_allclose(left_over, expected[:, 1], rtol=1e-14)


def test_by_hand():
    # After 3: word 1 twice, word 2 once; after 5: word 1 once. n1 = 2, n2 = 1, D = 2 / 4.
    counts = made([(3, 1), (3, 2), (5, 1), (3, 1)])
    assert counts.discount == 0.5
    coarser = np.full(3, 0.1)
    found = counts.probability(np.array([3, 3, 3]), np.array([1, 2, 4]), coarser)
    # What is left of context 3 is 0.5 * 2 / 3.
    np.testing.assert_allclose(found, [1.5 / 3 + 0.1 / 3, 0.5 / 3 + 0.1 / 3, 0.1 / 3])


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_of_all_words_add_up_to_1_in_every_context(seed):
    draw = np.random.default_rng(seed)
    counts = made(draw.integers(0, V, (40, 2)))
    coarser = draw.dirichlet(np.ones(V))
    words = np.arange(V)
    for context in range(-1, V + 1):
        found = counts.probability(np.full(V, context), words, coarser)
        assert found.min() > 0
        assert found.sum() == pytest.approx(1, abs=1e-12)


def test_a_word_never_found_is_possible_where_no_pair_was_found_once():
    counts = made([(0, 1)] * 3 + [(0, 2)] * 2)
    assert counts.discount == NO_ESTIMATE
    found = counts.probability(np.array([0]), np.array([7]), np.array([0.2]))
    np.testing.assert_allclose(found, 0.5 * 2 / 5 * 0.2)


def test_without_any_pair_all_is_left_to_the_coarser_model():
    share, left_over = made([]).parts(np.array([0, 3]), np.array([1, 1]))
    assert share.tolist() == [0, 0] and left_over.tolist() == [1, 1]


def test_contexts_that_64_bits_cannot_number_are_refused():
    words = np.array([0])
    with pytest.raises(OverflowError, match="too many contexts"):
        DiscountedCounts.of(np.array([2**40]), words, 2**24)
    assert len(DiscountedCounts.of(np.array([2**38]), words, 2**24).pairs) == 1
