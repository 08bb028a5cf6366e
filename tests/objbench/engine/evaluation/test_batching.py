"""Batches of examples: every epoch a plain shuffle, in parts that need little padding."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from objbench.engine.evaluation.batching import (
    assemble,
    evaluation_batches,
    parts_of_similar_length,
    subset,
    training_batches,
)
from objbench.engine.evaluation.examples import TokenisedExamples


@pytest.fixture
def tokens():
    lengths = np.array([3, 7, 2, 5, 5, 9, 4])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.arange(1, offsets[-1] + 1, dtype=np.int32)
    types = (ids % 2).astype(np.uint8)
    return TokenisedExamples(ids, types, offsets, np.arange(7) % 2, pad=0)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 500])
def test_an_epoch_has_every_example_once(count):
    batches = training_batches(count, 16, seed=3, epoch=1)
    assert sorted(np.concatenate(batches)) == list(range(count))
    assert [len(b) for b in batches[:-1]] == [16] * (len(batches) - 1)


def _number_of_batch(seed, epoch, count, batch):
    batches = training_batches(count, batch, seed, epoch)
    numbers = np.empty(count, int)
    numbers[np.concatenate(batches)] = np.repeat(np.arange(len(batches)), [*map(len, batches)])
    return numbers


def test_batch_mates_meet_again_as_in_a_plain_shuffle():
    # Batches of similar length repeat 13 to 17% of their pairs at this size.
    count, batch, transitions = 2048, 32, 40
    again = 0
    for seed in range(transitions // 4):
        epochs = [_number_of_batch(seed, epoch, count, batch) for epoch in range(5)]
        for first, second in pairwise(epochs):
            _, both = np.unique(first * count + second, return_counts=True)
            again += int((both * (both - 1) // 2).sum())
    pairs = transitions * count * (batch - 1) / 2
    expected = (batch - 1) / (count - 1)
    deviation = (expected * (1 - expected) / pairs) ** 0.5
    assert abs(again / pairs - expected) < 5 * deviation


def test_the_order_depends_on_seed_and_epoch_alone():
    orders = {
        (seed, epoch): np.concatenate(training_batches(3200, 16, seed, epoch))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len({order.tobytes() for order in orders.values()}) == 4
    np.random.seed(5)
    torch.manual_seed(5)
    for key, order in orders.items():
        assert np.array_equal(np.concatenate(training_batches(3200, 16, *key)), order)


@given(
    lengths=st.lists(st.integers(1, 128), min_size=1, max_size=70),
    least=st.integers(0, 400),
    chosen=st.randoms(use_true_random=False),
)
def test_parts_of_a_batch_need_less_padding(lengths, least, chosen):
    lengths = np.array(lengths)
    rows = np.array(chosen.sample(range(len(lengths)), chosen.randint(1, len(lengths))))
    parts = parts_of_similar_length(rows, lengths, least)
    assert sorted(np.concatenate(parts)) == sorted(rows)
    padded = sum(len(part) * lengths[part].max() for part in parts)
    # Every part beyond the first has saved more than it costs.
    assert padded <= len(rows) * lengths[rows].max() - least * (len(parts) - 1)
    # What is left would not have been worth another halving.
    for part in parts:
        longest = np.sort(lengths[part])[::-1]
        half = len(part) // 2
        assert (len(part) - half) * (longest[0] - longest[half]) <= least


def test_padding_of_batches_in_parts_by_hand():
    lengths = np.array([10, 90, 10, 10, 90, 10, 10, 10])
    # 8 x 90; the shorter four save 4 x 80 and stay whole, the longer four save 2 x 80.
    parts = parts_of_similar_length(np.arange(8), lengths, 128)
    assert [part.tolist() for part in parts] == [[1, 4], [0, 2], [3, 5, 6, 7]]
    assert [len(p) for p in parts_of_similar_length(np.arange(8), lengths // 10, 128)] == [8]


def test_evaluation_batches_keep_to_the_tokens():
    lengths = np.random.default_rng(0).integers(3, 100, 300)
    batches = evaluation_batches(lengths, 400)
    assert sorted(np.concatenate(batches)) == list(range(300))
    assert all(len(b) * lengths[b].max() <= 400 for b in batches)
    assert [len(b) for b in evaluation_batches(np.array([9, 8]), 1)] == [1, 1]


def test_assemble_by_hand(tokens):
    batch = assemble(tokens, np.array([2, 0]))
    assert batch.ids.tolist() == [[11, 12, 0], [1, 2, 3]]
    assert batch.types.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert batch.attention.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch.labels.tolist() == [0, 0]
    assert assemble(tokens, np.array([3, 4])).attention is None


def test_subset_keeps_whole_examples(tokens):
    part = subset(tokens, 3)
    rows = [np.flatnonzero(tokens.offsets[:-1] + 1 == part.ids[o])[0] for o in part.offsets[:-1]]
    assert len(part) == 3
    whole = assemble(tokens, np.array(rows))
    assert torch.equal(assemble(part, np.arange(3)).ids, whole.ids)
    assert subset(tokens, None) is tokens and subset(tokens, 7) is tokens
