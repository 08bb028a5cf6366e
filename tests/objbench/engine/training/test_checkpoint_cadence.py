"""Checkpoints come as often as is wanted only where that costs next to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.engine.training.checkpoint_cadence import WriteCost, seconds_between

SECONDS = st.floats(0, 1e4)


@pytest.mark.parametrize(
    ("wanted", "cost", "between"),
    [
        (60, None, 60),  # nothing is known before the first
        (60, WriteCost(0.01, 0.02, 0.5), 60),  # tiny: 0.03 s of 60 s are 0.05%
        (60, WriteCost(0.5, 2.0, 4.0), 250),  # base: 2.5 s are 1% of 250 s
        (60, WriteCost(0.1, 0.1, 45.0), 450),  # a slow disk is left alone nine tenths of the time
        (600, WriteCost(0.5, 2.0, 4.0), 600),
        (0, WriteCost(0.5, 2.0, 4.0), 0),  # after every step, as asked for
    ],
)
def test_known_costs(wanted, cost, between):
    assert seconds_between(wanted, cost) == pytest.approx(between)


@given(st.floats(1e-3, 1e4), st.builds(WriteCost, SECONDS, SECONDS, SECONDS))
def test_a_run_spends_at_most_its_share(wanted, cost):
    between = seconds_between(wanted, cost)
    assert between >= wanted
    assert (cost.stalled + cost.computed) <= 0.01 * between * (1 + 1e-9)
    assert cost.written <= 0.1 * between * (1 + 1e-9)
    # And no more rarely than one of the three asks for.
    least = {wanted, 100 * (cost.stalled + cost.computed), 10 * cost.written}
    assert any(between == pytest.approx(one) for one in least)
