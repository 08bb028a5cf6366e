"""Splits by what is said: the same for every order of a file, disjoint, and fixed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.engine.encoder.load import load_tokenizer
from objbench.engine.evaluation.batching import subset
from objbench.engine.evaluation.examples import Examples, Source, tokenise
from objbench.engine.evaluation.splits import first_hashed, held_count, hold_out, subsample
from objbench.errors import DataError


def _examples(sentences, labels=None, second=None):
    labels = np.zeros(len(sentences), np.int64) if labels is None else np.asarray(labels)
    return Examples(list(sentences), second, labels)


def _source(examples):
    return Source(examples.fingerprint, lambda: examples)


def _rows(examples):
    second = examples.second or [""] * len(examples)
    return list(zip(examples.first, second, examples.labels.tolist(), strict=True))


@given(st.data())
def test_the_order_of_the_file_moves_nothing(data):
    # Two letters, so that equal sentences with equal and with different labels occur.
    sentences = data.draw(st.lists(st.text("ab ", max_size=3), min_size=5, max_size=30))
    labels = data.draw(
        st.lists(st.integers(0, 2), min_size=len(sentences), max_size=len(sentences))
    )
    second = sentences[::-1] if data.draw(st.booleans()) else None
    file = _examples(sentences, labels, second)
    shuffled = file.take(np.array(data.draw(st.permutations(range(len(file))))))
    one, other = (hold_out(_source(examples)) for examples in (file, shuffled))
    assert [_rows(part.load()) for part in one] == [_rows(part.load()) for part in other]
    kept, held = (_rows(part.load()) for part in one)
    assert sorted(kept + held) == sorted(_rows(file)) and len(held) == len(file) // 5


def test_the_split_is_fixed():
    # Written down once: another hash or key would hold out other examples in the studies at hand.
    kept, held = hold_out(_source(_examples(["zero", "one", "two", "three", "four", "five"])))
    assert kept.load().first == ["four", "zero", "three", "five", "two"]
    assert held.load().first == ["one"]


def test_equal_sentences_lie_side_by_side_whatever_their_labels():
    words = [f"w{i}" for i in range(50)]
    file = _examples(words + words, [0] * 50 + [1] * 50)
    ordered = first_hashed(_source(file)).load()
    assert ordered.first[::2] == ordered.first[1::2]
    assert ordered.labels.tolist() == [0, 1] * 50


def test_the_hash_is_not_the_order_of_words_or_of_the_file():
    file = _examples([f"{i:03d}" for i in range(200)])
    places = [int(text) for text in hold_out(_source(file))[1].load().first]
    assert min(places) < 40 and max(places) > 160
    assert places != sorted(places)


def test_a_boundary_between_the_sentences_of_a_pair_counts():
    one = first_hashed(_source(_examples(["a b", "a"], [0, 1], ["c", "b c"]))).load()
    other = first_hashed(_source(_examples(["a", "a b"], [1, 0], ["b c", "c"]))).load()
    assert _rows(one) == _rows(other)


def test_the_first_ones_are_nested():
    source = _source(_examples([f"w{i}" for i in range(30)]))
    whole = first_hashed(source).load().first
    assert first_hashed(source, 7).load().first == whole[:7]
    assert first_hashed(source, 99).load().first == whole
    # So a fifth of what is already in this order is its end.
    assert hold_out(first_hashed(source))[1].load().first == whole[24:]


def test_a_subsample_is_what_finetune_would_take(tiny_encoder):
    generator = np.random.default_rng(0)
    words = np.array(["good", "bad", "dog", "cat", "runs", "sees"])
    file = _examples([" ".join(generator.choice(words, 6)) for _ in range(40)], np.arange(40))
    tokenizer = load_tokenizer(tiny_encoder)
    chosen = subsample(_source(file), 9).load()
    expected = subset(tokenise(file, tokenizer, 16), 9)
    assert chosen.labels.tolist() == expected.labels.tolist()
    assert np.array_equal(tokenise(chosen, tokenizer, 16).ids, expected.ids)
    assert _rows(subsample(_source(file), 40).load()) == _rows(file)


def test_fingerprints_tell_parts_apart():
    source = _source(_examples([f"w{i}" for i in range(10)]))
    parts = [source, first_hashed(source), first_hashed(source, 5), first_hashed(source, 6)]
    parts += [subsample(source, 5), *hold_out(source), *hold_out(first_hashed(source, 5))]
    assert len({part.fingerprint for part in parts}) == len(parts)
    assert subsample(source, None) is source


def test_nothing_is_read_before_it_is_needed_and_then_once():
    examples, calls = _examples([f"w{i}" for i in range(10)]), []

    def load():
        calls.append(1)
        return examples

    kept, held = hold_out(first_hashed(Source("x", load), 5))
    assert not calls
    assert len(kept.load()) == 4 and len(held.load()) == 1 and len(calls) == 1


def test_too_few_to_hold_out_any():
    assert [held_count(total) for total in (5, 9, 10, 2000)] == [1, 1, 2, 400]
    with pytest.raises(DataError, match="4 training examples are too few"):
        held_count(4)
    with pytest.raises(DataError, match="too few"):
        hold_out(_source(_examples("abcd")))[0].load()
