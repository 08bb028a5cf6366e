"""How numbers are written, at the borders of their units."""

from itertools import pairwise

import pytest

from objbench.judge import formatting as notation
from objbench.leaderboard.pictures.drawing import spread_out


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (950, "950"),
        (999.6, "1.00k"),
        (1000, "1.00k"),
        (12_345, "12.3k"),
        (999_999, "1.00M"),
        (24_600_000, "24.6M"),
        (3.1e9, "3.10B"),
        (1.234e15, "1.23e15"),
    ],
)
def test_amounts(value, text):
    assert notation.amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(43.21, "43.2 s"), (734, "12.2 min"), (9000, "2.50 h"), (0, "0 s")]
)
def test_durations(seconds, text):
    assert notation.duration(seconds) == text


def test_no_negative_zero():
    assert notation.points(-0.001) == "0.00"
    assert notation.signed(-0.001) == "0.00"
    assert notation.signed(-0.4) == "-0.40"


def test_memory():
    assert notation.memory(512 * 2**20) == "512 MiB"
    assert notation.memory(1.5 * 2**30) == "1.50 GiB"


def test_labels_keep_their_order_and_distance():
    assert spread_out([1.0, 5.0], 1.0) == [1.0, 5.0]
    assert spread_out([5.0, 5.0], 1.0) == [4.5, 5.5]
    placed = spread_out([3.0, 1.0, 1.2, 1.9], 1.0)
    order = sorted(placed)
    assert [placed[i] for i in (1, 2, 3, 0)] == order
    assert all(b - a >= 1.0 - 1e-9 for a, b in pairwise(order))
