"""Masks hit what they may, as often as they should, and the same for everyone who asks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.blocks.masking import (
    corrupted_tokens,
    mask_tokens,
    prediction_count,
    select_positions,
    slot_count,
    slots_of,
)
from objbench.contract.batch import IGNORE_INDEX, Batch, Rows
from objbench.contract.encoder_spec import Vocabulary
from objbench.contract.random_streams import Streams

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


def test_masks_are_those_of_the_records_that_are_published():
    """Numbers that the first version of this file drew: every record of mlm and taco rests on them."""
    ids = torch.arange(100, 124).reshape(2, 12).clone()
    ids[:, 0] = WORDS.cls
    batch = Batch(ids, ids < 4, None, Rows.alone(2))
    out = mask_tokens(batch, WORDS, Streams(7, 3, rows=2), rate=0.3)
    assert out.positions.tolist() == [[8, 2, 4, 0], [1, 2, 5, 4]]
    assert out.targets.tolist() == [[108, 102, 104, -100], [113, 114, 117, 116]]
    assert out.input_ids.tolist() == [
        [1, 101, 582, 103, 3, 105, 106, 107, 3, 109, 110, 111],
        [1, 113, 3, 115, 676, 3, 118, 119, 120, 121, 122, 123],
    ]


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(0.01, 1.0),
    length=st.integers(1, 40),
    more=st.integers(0, 40),
    seed=st.integers(0, 2**31),
)
def test_further_slots_stay_unused_and_change_no_choice(rate, length, more, seed):
    allowed = torch.rand(3, length, generator=torch.Generator().manual_seed(seed)) < 0.8
    slots = slot_count(rate, length)
    few = select_positions(allowed, rate, Streams(seed, rows=3))
    wide = min(length, slots + more)
    many = select_positions(allowed, rate, Streams(seed, rows=3), slots=wide)
    for one, other in zip(few, many, strict=True):
        assert other.shape == (3, wide)
        assert torch.equal(one, other[:, :slots]) and not other[:, slots:].any()
    wanted = prediction_count(allowed, rate, slots, Streams(seed, rows=3))
    assert torch.equal(wanted, few[1].sum(dim=1))


def test_chosen_columns_fill_their_slots_from_left_to_right():
    chosen = torch.tensor([[False, True, False, True], [False] * 4, [True, True, False, True]])
    positions, used = slots_of(chosen, 3)
    assert positions.tolist() == [[1, 3, 0], [0, 0, 0], [0, 1, 3]]
    assert used.tolist() == [[True, True, False], [False] * 3, [True] * 3]


@pytest.mark.parametrize("random_share", [0.0, 1.0])
def test_all_mask_and_all_random_replacement(random_share):
    batch = a_batch(rows=400)
    out = mask_tokens(
        batch,
        WORDS,
        streams_for(batch),
        0.4,
        mask_share=1 - random_share,
        random_share=random_share,
    )
    new = out.input_ids[out.predicted]
    if random_share:
        # The original or [MASK] only where the random word is it: 1 in 1,000.
        assert (new == WORDS.mask).float().mean() < 0.01
        assert (new == batch.input_ids[out.predicted]).float().mean() < 0.01
    else:
        assert (new == WORDS.mask).all()


def test_a_lot_that_is_handed_in_decides_the_replacement():
    tokens = torch.tensor([[500, 501, 502]])
    lot = torch.tensor([[0.79, 0.85, 0.95]])
    new = corrupted_tokens(tokens, WORDS, 0.8, 0.1, Streams(0, rows=1), lot=lot)
    assert new[0, 0] == WORDS.mask and new[0, 1] not in (501, WORDS.mask) and new[0, 2] == 502
