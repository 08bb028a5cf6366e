"""Crops: the same run of tokens a loop would cut, as narrow as it can be, padding left out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.contract.batch import Batch, Rows
from objbench.contract.random_streams import Streams
from objbench_objectives.crop import kept_tokens, random_crop


def cut_in_loops(batch, starts, share, padding):
    """Rows of ids and of what is real, by plain Python."""
    width = 1 + kept_tokens(share, batch.input_ids.shape[1])
    rows, real = [], []
    for ids, own, start in zip(batch.input_ids, batch.real, starts, strict=True):
        words = ids[own].tolist()
        text = words[1:]
        kept = min(len(text), max(1, math.floor(share * len(text))))
        offset = int(start * (len(text) - kept + 1))
        piece = [words[0], *text[offset : offset + kept]]
        rows.append(piece + [padding] * (width - len(piece)))
        real.append([True] * len(piece) + [False] * (width - len(piece)))
    return rows, real


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0.01, 1.0),
    padded=st.booleans(),
)
def test_a_crop_is_what_loops_cut(seed, share, padded, tiny, batch_of):
    batch = batch_of(padded=padded, seed=seed)
    starts = Streams(seed, rows=6).uniform("c").tolist()
    before = batch.input_ids.clone()
    crop = random_crop(batch, tiny.VOCABULARY, share, Streams(seed, rows=6), "c")
    rows, real = cut_in_loops(batch, starts, share, tiny.VOCABULARY.pad)
    assert crop.input_ids.tolist() == rows
    assert crop.real.tolist() == real
    assert torch.equal(crop.special, crop.input_ids < 5)
    assert (crop.attention is None) == (not padded)
    assert torch.equal(batch.input_ids, before)


def test_every_start_is_equally_likely(tiny):
    ids = torch.arange(2, 2 + tiny.LENGTH).expand(4000, -1)
    batch = Batch(ids, ids < 5, None, Rows.alone(4000))
    crop = random_crop(batch, tiny.VOCABULARY, 0.75, Streams(0, rows=4000), "c")
    assert crop.input_ids.shape == (4000, 9)  # 8 of the 11 tokens after [CLS]
    counts = torch.bincount(crop.input_ids[:, 1] - 3, minlength=4).double()
    assert len(counts) == 4
    assert ((counts - 1000).square() / 1000).sum() < 16.3  # 99.9%, 3 degrees of freedom


@pytest.mark.parametrize(
    ("share", "length", "kept"),
    [(0.9, 128, 114), (0.9, 11, 9), (0.9, 2, 1), (0.9, 1, 0), (0.01, 12, 1), (1.0, 12, 11)],
)
def test_so_many_tokens_are_kept(share, length, kept):
    assert kept_tokens(share, length) == kept
