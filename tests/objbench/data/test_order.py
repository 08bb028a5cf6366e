"""The order of sequences: a fresh, seeded permutation every epoch, whatever the batch size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.data.order import BLOCK, batch_indices, permuted

seeds = st.integers(min_value=-(2**40), max_value=2**40)


@given(n=st.integers(1, 3000), seed=seeds, epoch=st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_every_epoch_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    values = permuted(np.arange(n), n, seed, epoch)
    assert values.dtype == np.int64
    assert np.array_equal(np.sort(values), np.arange(n))


@given(
    n=st.integers(1, 500),
    batch=st.integers(1, 700),
    seed=seeds,
    steps=st.integers(1, 6),
    start=st.integers(0, 50),
)
@settings(max_examples=60, deadline=None)
def test_steps_walk_through_the_epochs_without_gap_or_repeat(
    n: int, batch: int, seed: int, steps: int, start: int
) -> None:
    walked = np.concatenate([batch_indices(seed, start + s, batch, n) for s in range(steps)])
    positions = np.arange(start * batch, (start + steps) * batch)
    expected = [permuted(np.array([p % n]), n, seed, p // n)[0] for p in positions.tolist()[:40]]
    assert walked[:40].tolist() == expected
    for epoch in np.unique(positions // n):
        seen = walked[positions // n == epoch]
        assert len(np.unique(seen)) == len(seen)


@given(n=st.integers(50, 2000), seed=seeds, epoch=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_epochs_and_seeds_differ(n: int, seed: int, epoch: int) -> None:
    here = permuted(np.arange(n), n, seed, epoch)
    assert not np.array_equal(here, permuted(np.arange(n), n, seed, epoch + 1))
    assert not np.array_equal(here, permuted(np.arange(n), n, seed + 1, epoch))


def test_huge_corpora_need_no_memory() -> None:
    n = 2**61 + 12345
    values = batch_indices(0, 10**9, 4096, n)
    assert len(np.unique(values)) == 4096
    assert values.min() >= 0
    assert values.max() < n
    assert abs(values.astype(np.float64).mean() / n - 0.5) < 0.03


def test_order_looks_random() -> None:
    # Chi-square over (position, value) of many epochs: 49 - 13 = 36 degrees of freedom.
    n, epochs = 7, 2100
    table = np.zeros((n, n))
    for epoch in range(epochs):
        table[np.arange(n), permuted(np.arange(n), n, 3, epoch)] += 1
    expected = epochs / n
    assert ((table - expected) ** 2 / expected).sum() < 75  # p of about 1e-4
    long = permuted(np.arange(100_000), 100_000, 0, 0).astype(np.float64)
    assert abs(np.corrcoef(np.arange(100_000), long)[0, 1]) < 0.015
    assert abs(np.corrcoef(long[:-1], long[1:])[0, 1]) < 0.015


def test_order_is_frozen() -> None:
    # A change here changes the batches of every study: raise the engine's version with it.
    assert batch_indices(0, 0, 8, 1000).tolist() == [524, 469, 30, 87, 530, 414, 384, 517]
    assert (
        batch_indices(0, 124, 12, 1000)[:4].tolist()
        == permuted(np.arange(488, 492), 1000, 0, 1).tolist()
    )


@pytest.mark.parametrize(("step", "batch", "n"), [(0, 1, 0), (0, 0, 5), (-1, 1, 5)])
def test_impossible_orders_are_refused(step: int, batch: int, n: int) -> None:
    with pytest.raises(ValueError, match="no order"):
        batch_indices(0, step, batch, n)


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_steps_over_borders_of_blocks_follow_the_permutation(n):
    walked = np.concatenate([batch_indices(7, step, 300, n) for step in range(2 * n // 300 + 1)])
    epochs = [permuted(np.arange(n), n, 7, epoch) for epoch in range(3)]
    assert np.array_equal(walked, np.concatenate(epochs)[: len(walked)])
