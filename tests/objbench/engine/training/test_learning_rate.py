"""The learning rate over the budget: it rises, never exceeds its peak, and falls as declared."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from objbench.engine.training.schedule import learning_rate_factor

shares = st.floats(0, 1)
parts = st.floats(0, 0.99)


@given(shares, st.sampled_from(["linear", "constant"]), parts, parts)
def test_the_learning_rate_stays_between_zero_and_its_peak(share, schedule, warmup, decay):
    assert 0 <= learning_rate_factor(share, schedule, warmup, decay) <= 1


@given(parts.filter(lambda part: part > 1e-6), st.sampled_from(["linear", "constant"]))
def test_it_rises_linearly_to_its_peak(warmup, schedule):
    rate = [learning_rate_factor(warmup * x, schedule, warmup, 0.0) for x in (0, 0.5, 1 - 1e-9)]
    assert rate == pytest.approx([0, 0.5, 1])


@given(shares, shares, st.sampled_from(["linear", "constant"]), parts, parts)
def test_it_never_rises_after_warm_up(one, two, schedule, warmup, decay):
    early, late = sorted((one, two))
    assume(early >= warmup)
    factors = [learning_rate_factor(x, schedule, warmup, decay) for x in (early, late)]
    assert factors[1] <= factors[0] + 1e-12


def test_it_ends_at_zero():
    assert learning_rate_factor(1.0, "linear", 0.1, 0.0) == 0
    assert learning_rate_factor(1.0, "constant", 0.1, 0.2) == 0
    assert learning_rate_factor(0.9, "constant", 0.1, 0.2) == pytest.approx(0.5)
    assert learning_rate_factor(0.79, "constant", 0.1, 0.2) == 1
    assert learning_rate_factor(1.0, "constant", 0.1, 0.0) == 1
