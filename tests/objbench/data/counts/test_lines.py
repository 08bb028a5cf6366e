"""The lines of text whose entropies are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from objbench.data.counts import lines
from objbench.data.counts.hidden_tokens import HiddenTokens, next_tokens
from objbench.data.counts.lines import count_text, measure_lines
from objbench.data.packed_sequences import PackedSequences
from objbench.errors import DataError

CLS, V = 2, 15
SPECIAL = np.arange(V) < 5
WORDS = V - 5


def sequences(tokens, length=32):
    return PackedSequences(tokens=tokens.astype(np.uint16), length=length, cls=CLS, name="made")


def chain(steps, tokens, draw):
    """A walk of a Markov chain with the transition matrix ``steps``, and its stationary law."""
    law = np.linalg.matrix_power(steps, 200)[0]
    limits, luck = steps.cumsum(axis=1), draw.random(tokens)
    walk, state = np.empty(tokens, np.int64), 0
    for place in range(tokens):
        state = min(int(np.searchsorted(limits[state], luck[place])), WORDS - 1)
        walk[place] = state
    return 5 + walk, law


def entropy(law):
    return float(-(law * np.log(law)).sum())


def one_hidden(rows, columns=slice(10, 20)):
    """Tokens hidden one at a time, so that all others are visible."""
    places = np.zeros(rows.shape, dtype=bool)
    places[:, columns] = True
    visible = rows.copy()
    hidden = HiddenTokens(
        original=rows, visible=visible, rows=np.nonzero(places)[0], columns=np.nonzero(places)[1]
    )
    return hidden


@pytest.fixture(scope="module")
def markov():
    draw = np.random.default_rng(0)
    steps = draw.dirichlet(np.full(WORDS, 0.3), size=WORDS)
    steps = 0.95 * steps + 0.05 / WORDS
    walk, law = chain(steps, 200_000, draw)
    return steps, law, sequences(walk[:150_000]), sequences(walk[150_000:])


def test_the_left_neighbour_reaches_the_entropy_rate_of_a_markov_chain(markov):
    steps, law, train, heldout = markov
    text = count_text(train, SPECIAL)
    rows = heldout.rows(np.arange(len(heldout)))
    found = measure_lines(text, next_tokens(rows, SPECIAL), next_tokens(text.kept_back, SPECIAL))
    rate = float(law @ [entropy(row) for row in steps])
    assert found.uniform == math.log(V)
    assert found.unigram == pytest.approx(entropy(law), abs=0.02)
    # The first word of a sequence follows [CLS], which says nothing.
    assert found.bigram == pytest.approx((30 * rate + entropy(law)) / 31, abs=0.02)
    assert found.neighbours is None
    assert found.bigram + 0.2 < found.bag <= found.unigram + 0.02


def test_both_neighbours_reach_the_entropy_between_them(markov):
    steps, law, train, heldout = markov
    counts = count_text(train, SPECIAL).neighbours
    hidden = one_hidden(heldout.rows(np.arange(len(heldout))))
    share = counts.left_share(hidden)
    loss = -np.log(counts.by_both(hidden, hidden.words, share)).mean()
    joint = law[:, None, None] * steps[:, :, None] * steps[None, :, :]
    between = joint / joint.sum(axis=1, keepdims=True)
    assert loss == pytest.approx(float(-(joint * np.log(between)).sum()), abs=0.03)
    by_left = -np.log(counts.by_left(hidden, hidden.words)).mean()
    assert by_left == pytest.approx(float(law @ [entropy(row) for row in steps]), abs=0.02)


def test_all_lines_agree_where_words_are_independent():
    draw = np.random.default_rng(1)
    law = draw.dirichlet(np.ones(WORDS))
    walk = 5 + draw.choice(WORDS, 200_000, p=law)
    train, heldout = sequences(walk[:150_000]), sequences(walk[150_000:])
    text = count_text(train, SPECIAL)
    rows = heldout.rows(np.arange(len(heldout)))
    nexts = measure_lines(text, next_tokens(rows, SPECIAL), next_tokens(text.kept_back, SPECIAL))
    for loss in (nexts.unigram, nexts.bag, nexts.bigram):
        assert loss == pytest.approx(entropy(law), abs=0.02)
    # Every token can be seen here, so that each loss is below the entropy, and alike.
    seen = measure_lines(text, one_hidden(rows), one_hidden(text.kept_back))
    assert seen.unigram < 0.5 * entropy(law)
    for loss in (seen.bag, seen.bigram, seen.neighbours):
        assert loss == pytest.approx(seen.unigram, abs=0.02)


def test_no_more_is_counted_than_allowed_and_it_is_evenly_spread(monkeypatch):
    walk = 5 + np.arange(31 * 1000) % WORDS
    assert count_text(sequences(walk), SPECIAL).tokens == 31 * 990
    monkeypatch.setattr(lines, "COUNTED_TOKENS", 32 * 200)
    text = count_text(sequences(walk), SPECIAL)
    assert text.tokens == 31 * 198
    rows = sequences(walk).rows(np.arange(0, 1000, 5))
    np.testing.assert_array_equal(text.kept_back, rows[::100])
    counted = np.delete(rows, [0, 100], axis=0)
    np.testing.assert_array_equal(text.neighbours.alone.counts, np.bincount(counted.ravel())[5:])


def test_no_more_is_predicted_than_allowed(monkeypatch):
    draw = np.random.default_rng(0)
    text = count_text(sequences(5 + draw.integers(0, WORDS, 5000)), SPECIAL)
    hidden = next_tokens(text.kept_back, SPECIAL)
    few = measure_lines(text, hidden.at_most(7), hidden)
    monkeypatch.setattr(lines, "MOST_PREDICTED", 7)
    assert measure_lines(text, hidden, hidden).unigram == few.unigram
    monkeypatch.setattr(lines, "MOST_LOOKED_AT", 7 * 32)
    assert math.isfinite(measure_lines(text, hidden, hidden).bag)


def test_words_that_were_never_counted_have_a_finite_loss():
    text = count_text(sequences(np.full(31 * 40, 6)), SPECIAL)
    rows = np.full((3, 32), 9)
    rows[:, 0] = CLS
    hidden = next_tokens(rows, SPECIAL)
    found = measure_lines(text, hidden, next_tokens(text.kept_back, SPECIAL))
    assert math.isfinite(found.bag)
    for loss in (found.unigram, found.bigram):
        assert math.log(V) < loss < 20


def test_a_single_sequence_is_counted_and_kept():
    text = count_text(sequences(5 + np.arange(31) % WORDS), SPECIAL)
    assert text.tokens == 31 and text.kept_back.shape == (1, 32)


def test_nothing_to_count_and_nothing_to_predict_are_said():
    with pytest.raises(DataError, match="no tokens but special ones"):
        count_text(sequences(np.full(100, 3)), SPECIAL)
    text = count_text(sequences(5 + np.arange(310) % WORDS), SPECIAL)
    hidden = next_tokens(text.kept_back, SPECIAL)
    none = replace(hidden, rows=hidden.rows[:0], columns=hidden.columns[:0])
    with pytest.raises(DataError, match="is to be predicted"):
        measure_lines(text, none, hidden)
    assert measure_lines(text, hidden, none).bag > 0
