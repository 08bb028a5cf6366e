"""Masks hit what they may, as often as they should, and the same for everyone who asks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.batch import IGNORE_INDEX, Batch, Rows
from objbench.masking import corrupted_tokens, mask_tokens, select_positions, slot_count
from objbench.objective import Vocabulary
from objbench.streams import Streams

WORDS = Vocabulary(1000, 0, 1, 2, 3, (0, 1, 2, 3), ("x",) * 1000)


def a_batch(rows=64, length=48, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, WORDS.size, (rows, length), generator=generator)
    ids[:, 0], ids[:, -1] = WORDS.cls, WORDS.sep
    return Batch(ids, ids < 4, None, Rows.alone(rows))


def streams_for(batch, seed=0, step=0):
    return Streams(seed, step, rows=len(batch.input_ids))


@settings(deadline=None, max_examples=60)
@given(
    maskable=st.lists(st.integers(0, 1), min_size=1, max_size=30),
    rate=st.floats(0.01, 1.0),
    seed=st.integers(0, 2**31),
)
def test_only_maskable_positions_are_chosen_each_once_and_the_number_is_rate_times_n(
    maskable, rate, seed
):
    allowed = torch.tensor([maskable, maskable[::-1]], dtype=torch.bool)
    positions, used = select_positions(allowed, rate, Streams(seed, rows=2))
    assert positions.shape == used.shape == (2, slot_count(rate, len(maskable)))
    for row in range(2):
        chosen = positions[row][used[row]].tolist()
        assert len(set(chosen)) == len(chosen)
        assert allowed[row][chosen].all()
        expected = rate * int(allowed[row].sum())
        assert math.floor(expected - 1e-4) <= len(chosen) <= math.ceil(expected + 1e-4)
        assert not positions[row][~used[row]].any()  # unused slots point at column 0
        assert used[row].tolist() == sorted(used[row].tolist(), reverse=True)


def test_every_maskable_position_is_as_likely_as_any_other_and_the_share_is_the_rate():
    allowed = torch.ones(4000, 10, dtype=torch.bool)
    allowed[:, 0] = False
    positions, used = select_positions(allowed, 0.15, Streams(1, rows=4000))
    counts = torch.zeros(10).index_add(0, positions.flatten(), used.flatten().float())
    share = counts[1:] / 4000
    # One standard deviation is sqrt(.15 * .85 / 4000) = 0.0056.
    assert counts[0] == 0
    assert torch.allclose(share, torch.full((9,), 0.15), atol=0.025)
    assert share.mean().item() == pytest.approx(0.15, abs=0.006)


def test_a_whole_sequence_can_be_chosen():
    allowed = torch.ones(500, 8, dtype=torch.bool)
    positions, used = select_positions(allowed, 1.0, Streams(0, rows=500))
    assert used.all()
    assert (positions.sort(dim=1).values == torch.arange(8)).all()


def test_a_sequence_without_maskable_positions_has_no_slot_in_use():
    _, used = select_positions(torch.zeros(3, 20, dtype=torch.bool), 0.5, Streams(0, rows=3))
    assert not used.any()


def test_the_shares_are_80_10_10_and_random_words_cover_the_whole_vocabulary():
    tokens = torch.full((1, 200_000), 500)
    new = corrupted_tokens(tokens, WORDS, 0.8, 0.1, Streams(0, rows=1)).flatten()
    share = torch.bincount(new, minlength=WORDS.size) / new.numel()
    assert share[WORDS.mask].item() == pytest.approx(0.8, abs=0.005)
    assert share[500].item() == pytest.approx(0.1, abs=0.005)
    rest = torch.cat([share[:3], share[4:500], share[501:]])
    assert rest.sum().item() == pytest.approx(0.1, abs=0.005)
    # 20 of each word are expected, special tokens among them; none is left out or favoured.
    assert rest.min() > 0
    assert rest.max() < 4e-4


def test_corruption_predicts_the_original_tokens_and_touches_nothing_else():
    batch = a_batch()
    before = batch.input_ids.clone()
    out = mask_tokens(batch, WORDS, streams_for(batch))
    assert torch.equal(batch.input_ids, before)
    assert out.input_ids is not batch.input_ids
    used = out.targets != IGNORE_INDEX
    assert torch.equal(out.targets[used], before.gather(1, out.positions)[used])
    assert not out.predicted[batch.special].any()
    assert torch.equal(out.input_ids[~out.predicted], before[~out.predicted])
    masked = (out.input_ids == WORDS.mask).sum() / used.sum()
    assert masked.item() == pytest.approx(0.8, abs=0.06)


def test_unused_slots_leave_column_0_alone_even_where_it_is_chosen():
    ids = torch.full((2000, 7), 9)
    batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), None, Rows.alone(2000))
    out = mask_tokens(batch, WORDS, streams_for(batch), rate=0.3, mask_share=1, random_share=0)
    assert torch.equal(out.input_ids == WORDS.mask, out.predicted)
    assert (out.targets == IGNORE_INDEX).any() and out.predicted[:, 0].any()


def test_same_seed_and_step_same_masks_other_step_other_masks():
    batch = a_batch()
    first = mask_tokens(batch, WORDS, streams_for(batch))
    again = mask_tokens(batch, WORDS, streams_for(batch))
    other = mask_tokens(batch, WORDS, streams_for(batch, step=1))
    assert torch.equal(first.input_ids, again.input_ids)
    assert torch.equal(first.positions, again.positions)
    assert not torch.equal(first.positions, other.positions)


def test_two_processes_mask_as_one():
    batch = a_batch(rows=8)
    whole = mask_tokens(batch, WORDS, streams_for(batch))
    for first in (0, 4):
        half = Batch(
            batch.input_ids[first : first + 4],
            batch.special[first : first + 4],
            None,
            Rows(first, 8),
        )
        part = mask_tokens(half, WORDS, Streams(0, 0, rows=8, first=first, count=4))
        assert torch.equal(part.input_ids, whole.input_ids[first : first + 4])


def test_the_global_generator_is_left_alone():
    state = torch.random.get_rng_state()
    batch = a_batch()
    mask_tokens(batch, WORDS, streams_for(batch))
    assert torch.equal(torch.random.get_rng_state(), state)
