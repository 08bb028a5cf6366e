"""Losses per token as bits per character, by hand and against the code lengths that they are."""

import math

import numpy as np
import pytest

from objbench.judge.statistics.bits_per_character import bits_per_character


def test_by_hand():
    # ln 2 nats are one bit: of 2 characters half a bit each.
    assert bits_per_character(np.array(math.log(2.0)), 2.0) == pytest.approx(0.5)
    # 8,192 equally likely tokens are 13 bits each.
    found = bits_per_character(np.array([math.log(8192.0), 0.0]), 4.0)
    assert found.tolist() == pytest.approx([13.0 / 4.0, 0.0])
    assert found.dtype == np.float64


def test_two_tokenizers_of_one_text_give_the_same_number():
    # Eight letters, each 1 of 4: as 8 tokens of one letter, and as 4 tokens of two, 1 of 16 each.
    text = "abcdabca"
    total = 0.0
    for _ in text:
        total -= math.log2(1 / 4)
    letters = bits_per_character(np.array(math.log(4.0)), 1.0)
    pairs = bits_per_character(np.array(math.log(16.0)), 2.0)
    assert float(letters) == pytest.approx(float(pairs)) == pytest.approx(total / len(text))


@pytest.mark.parametrize("characters", [0.0, -1.0, math.nan, math.inf])
def test_no_characters_are_refused(characters):
    with pytest.raises(ValueError, match="must be positive"):
        bits_per_character(np.array(1.0), characters)
