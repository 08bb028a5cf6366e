"""Characters per token."""

import numpy as np
import pytest

from objbench.data.counts import characters
from objbench.data.counts.characters import characters_per_token

SPECIAL = np.arange(10) < 5
LETTERS = ("", "", "", "", "", "a", "bb", "ccc", "dd", "e")


def decode(ids):
    return " ".join(LETTERS[i] for i in ids.tolist() if not SPECIAL[i])


def test_by_hand():
    # "a bb" and "ccc": [SEP] stands for nothing.
    tokens = np.array([5, 6, 3, 7, 3], dtype=np.uint16)
    assert characters_per_token(tokens, SPECIAL, decode) == len("a bb ccc") / 3


def test_pieces_of_a_long_text_are_evenly_spread(monkeypatch):
    monkeypatch.setattr(characters, "PIECE", 10)
    monkeypatch.setattr(characters, "MOST_PIECES", 4)
    seen = []

    def heard(ids):
        seen.append(ids.tolist())
        return decode(ids)

    tokens = np.repeat(np.arange(5, 9), 100).astype(np.uint16)
    # Of 10 tokens of n letters there are 9 spaces.
    assert characters_per_token(tokens, SPECIAL, heard) == pytest.approx((8 + 9 / 10 * 4) / 4)
    assert [piece[0] for piece in seen] == [5, 6, 7, 8] and {*map(len, seen)} == {10}


def test_text_without_words_has_none():
    assert characters_per_token(np.array([3, 3], dtype=np.uint16), SPECIAL, decode) is None
