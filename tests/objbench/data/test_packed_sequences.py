"""Packed sequences: [CLS] and the stream, each token once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.data import PackedSequences
from objbench.errors import ConfigError, DataError


def packed(tokens: int, length: int, dtype: str = "uint16") -> PackedSequences:
    stream = np.arange(10, 10 + tokens).astype(dtype)
    return PackedSequences(tokens=stream, length=length, cls=2, name="some corpus")


@given(
    tokens=st.integers(0, 300),
    length=st.integers(2, 40),
    dtype=st.sampled_from(["uint16", "uint32"]),
)
@settings(max_examples=60, deadline=None)
def test_rows_lay_the_stream_out_in_order(tokens: int, length: int, dtype: str) -> None:
    sequences = packed(tokens, length, dtype)
    rows = sequences.rows(np.arange(len(sequences)))
    assert rows.shape == (len(sequences), length)
    assert rows.dtype == np.int64
    assert (rows[:, 0] == 2).all()
    used = len(sequences) * (length - 1)
    assert rows[:, 1:].ravel().tolist() == list(range(10, 10 + used))
    assert tokens - used < length - 1


def test_rows_come_in_the_order_asked_for() -> None:
    rows = packed(100, 11).rows(np.array([7, 0, 7]))
    assert rows[:, 1].tolist() == [80, 10, 80]


@pytest.mark.parametrize("index", [-1, 10])
def test_sequences_outside_do_not_exist(index: int) -> None:
    with pytest.raises(IndexError):
        packed(109, 11).rows(np.array([0, index]))


def test_a_corpus_shorter_than_one_batch_is_refused_with_numbers() -> None:
    packed(100, 11).require(10)
    with pytest.raises(
        DataError, match=r"100 tokens fill 10 sequences of 11 .* needs 11: use more"
    ):
        packed(100, 11).require(11)


def test_sequences_need_room_for_a_token() -> None:
    with pytest.raises(ConfigError, match="too short"):
        packed(10, 1)
