"""Which held-out sequences are looked at."""

import numpy as np
import pytest

from objbench.data.heldout_split import heldout_rows, part_indices, spread
from objbench.data.packed_sequences import PackedSequences
from objbench.errors import DataError


def _sequences(count):
    tokens = np.arange(10, 10 + 3 * count).astype(np.uint16)
    return PackedSequences(tokens=tokens, length=4, cls=2, name="made")


def test_the_halves_share_nothing_and_leave_nothing_out():
    reported, tuning = (part_indices(7, part) for part in ("reported", "tuning"))
    assert reported.tolist() == [0, 2, 4, 6] and tuning.tolist() == [1, 3, 5]


def test_too_few_for_two_halves_are_both_all():
    assert part_indices(1, "tuning").tolist() == [0]
    assert part_indices(3, "tuning", least=2).tolist() == [0, 1, 2]
    assert part_indices(4, "tuning", least=2).tolist() == [1, 3]


def test_the_chosen_are_spread_over_all():
    assert spread(np.arange(100), 4).tolist() == [0, 25, 50, 75]
    assert spread(np.arange(3), 3).tolist() == [0, 1, 2]


def test_rows_begin_with_cls_and_are_of_the_half_asked_for():
    rows = heldout_rows(_sequences(8), "tuning", 2)
    assert rows.tolist() == [[2, 13, 14, 15], [2, 25, 26, 27]]
    assert rows.dtype == np.int64
    assert len(heldout_rows(_sequences(8), "reported", 0)) == 4
    assert len(heldout_rows(_sequences(8), "reported", 99)) == 4


def test_no_sequence():
    with pytest.raises(DataError, match="too short"):
        heldout_rows(_sequences(0), "reported", 5)
