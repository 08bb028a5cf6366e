"""Phases: which mode a step is in, the order that a class declares, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.contract.phases import InPhases, phase_at, phase_shares


class Base:
    """As much of an objective as phases need."""

    def __init__(self, config, modes):
        self.config, self.modes = config, modes

    def mode_of(self, batch, streams):
        return batch.mode or "drawn"


class Mine(InPhases, Base):
    phases = ("first", "second", "third")

    @classmethod
    def has_phases(cls, config):
        return config != "in turns"


def batch_at(progress, mode=None):
    return SimpleNamespace(progress=progress, mode=mode)


def test_phases_come_in_their_order_whatever_that_of_the_modes():
    mine = Mine(None, {"third": 0.5, "first": 0.25, "second": 0.25})
    assert list(phase_shares(mine).items()) == [("first", 0.25), ("second", 0.25), ("third", 0.5)]
    modes = [mine.mode_of(batch_at((step + 0.5) / 8), None) for step in range(8)]
    assert modes == ["first"] * 2 + ["second"] * 2 + ["third"] * 4


def test_a_mode_that_is_asked_for_is_the_batches_and_without_phases_one_is_drawn():
    assert Mine(None, {"first": 0.5, "third": 0.5}).mode_of(batch_at(0.0, "third"), None) == "third"
    assert Mine("in turns", {"first": 1.0}).mode_of(batch_at(0.0), None) == "drawn"
    assert phase_shares(Mine("in turns", {"first": 1.0})) == {}
    assert phase_shares(Base(None, {"first": 1.0})) == {}


def test_a_mode_without_a_share_is_left_out():
    mine = Mine(None, {"second": 0.75, "third": 0.25})
    assert phase_shares(mine) == {"second": 0.75, "third": 0.25}


def test_a_mode_whose_place_is_not_declared_is_refused():
    with pytest.raises(ValueError, match=r"Mine\.phases is .*, without the mode 'fourth'"):
        phase_shares(Mine(None, {"first": 0.5, "fourth": 0.5}))


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_a_phase_begins_where_those_before_it_end(weights, progress):
    shares = {str(number): weight / sum(weights) for number, weight in enumerate(weights)}
    end, wanted = 0.0, ""
    for mode, share in shares.items():
        wanted = mode
        end += share
        if progress < end:
            break
    assert phase_at(shares, progress) == wanted
