"""The test for a record: against all orders counted with loops, and never lucky where runs are censored."""

import math
from itertools import combinations
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.judge.statistics.record_test import _bound, _counts, record_test
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.time_to_target import Reached


def exact(values):
    return [Reached(value, value, value, value, 2) for value in values]


def censored(value, first, last):
    """What points from ``first`` to ``last`` show of a run that takes ``value``."""
    if value <= first:
        return Reached(0.0, first, 0.0, first, 1)
    if value > last:
        return Reached(last, math.inf, last, math.inf, 0)
    return Reached(value, value, value, value, 2)


def p_by_counting(candidate, holder):
    """The share of all ways to deal the spends to two sides that are as good for the candidate."""
    both = [*candidate, *holder]

    def wins(ours):
        theirs = [index for index in range(len(both)) if index not in ours]
        return sum(both[a] < both[b] for a in ours for b in theirs)

    found = wins(range(len(candidate)))
    dealt = list(combinations(range(len(both)), len(candidate)))
    return sum(wins(ours) >= found for ours in dealt) / len(dealt)


spends = st.lists(st.integers(1, 10**6), min_size=3, max_size=8, unique=True)


@settings(max_examples=30, deadline=None)
@given(spends, st.data())
def test_p_is_what_counting_all_orders_gives(values, data):
    cut = data.draw(st.integers(1, len(values) - 1))
    candidate, holder = values[:cut], values[cut:]
    found = record_test(exact(candidate), exact(holder))
    assert found.p == pytest.approx(p_by_counting(candidate, holder))


def test_five_against_five_by_hand():
    """All faster: 1 of 252 orders; one pair the other way round: 2; two such pairs: 4."""
    holder = [10.0, 20.0, 30.0, 40.0, 50.0]
    for candidate, orders in (
        ([1.0, 2.0, 3.0, 4.0, 5.0], 1),
        ([1.0, 2.0, 3.0, 4.0, 15.0], 2),
        ([1.0, 2.0, 3.0, 4.0, 25.0], 4),
    ):
        found = record_test(exact(candidate), exact(holder))
        assert found.p == pytest.approx(orders / 252)
        assert found.is_record == (orders / 252 < 0.01)


def test_ties_are_the_holders():
    same = exact([1.0, 2.0, 3.0, 4.0, 5.0])
    assert record_test(same, same).p > 0.5
    tied = record_test(exact([1.0, 1.0, 1.0, 1.0, 1.0]), exact([1.0, 9.0, 9.0, 9.0, 9.0]))
    assert tied.p == pytest.approx(p_by_counting([2, 3, 4, 5, 6], [1, 9, 10, 11, 12]))


@settings(max_examples=50, deadline=None)
@given(spends, st.data())
def test_censoring_never_makes_a_record(values, data):
    """Whatever the points hide, p is at least what the hidden spends would give."""
    cut = data.draw(st.integers(1, len(values) - 1))
    first, last = sorted(data.draw(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6))))
    other_first, other_last = sorted(
        data.draw(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)))
    )
    shown = record_test(
        [censored(float(value), float(first), float(last)) for value in values[:cut]],
        [censored(float(value), float(other_first), float(other_last)) for value in values[cut:]],
    )
    true = record_test(exact(values[:cut]), exact(values[cut:]))
    assert shown.p >= true.p - 1e-12
    # What is known of the ratio holds for the true one too.
    if shown.ratio.side == "above":
        assert true.ratio.value >= shown.ratio.value * (1 - 1e-9)
    if shown.ratio.side == "below":
        assert true.ratio.value <= shown.ratio.value * (1 + 1e-9)


def test_a_holder_that_never_arrived_is_beaten_by_what_is_faster_than_its_budget():
    never = [Reached(100.0, math.inf, 100.0, math.inf, 0)] * 5
    assert record_test(exact([10.0] * 5), never).is_record
    assert not record_test(exact([200.0] * 5), never).is_record
    assert record_test(exact([10.0] * 5), never).ratio == Bound(10.0, "above")


def test_a_candidate_that_never_arrives_beats_nobody():
    never = [Reached(1.0, math.inf, 1.0, math.inf, 0)] * 5
    found = record_test(never, exact([10.0, 11.0, 12.0, 13.0, 14.0]))
    assert found.p == pytest.approx(1.0) and found.ratio.side == "below"


def test_the_ratio_is_the_median_of_all_pairs():
    candidate, holder = [1.0, 2.0, 4.0], [3.0, 5.0, 9.0]
    ratios = [theirs / ours for ours in candidate for theirs in holder]
    found = record_test(exact(candidate), exact(holder))
    assert found.ratio.value == pytest.approx(median(ratios))
    # With three a side one order of twenty is 5%: the interval is as wide as it can be.
    assert (found.low.value, found.high.value) == (min(ratios), max(ratios))
    assert found.coverage == pytest.approx(0.9)


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (2, 3), (4, 4), (5, 5), (5, 3)])
def test_orders_are_counted_as_by_dealing_all(ours, theirs):
    wins = [0] * (ours * theirs + 1)
    for dealt in combinations(range(ours + theirs), ours):
        others = [index for index in range(ours + theirs) if index not in dealt]
        wins[sum(a < b for a in dealt for b in others)] += 1
    assert _counts(ours, theirs).tolist() == wins


def test_the_interval_of_five_against_five_leaves_out_two_ratios_at_each_end():
    """P(U <= 2) = 4 / 252 = 1.6% a side, and P(U <= 3) = 7 / 252 is more than 2.5%."""
    candidate, holder = [1.0, 1.1, 1.21, 1.331, 1.5], [2.0, 2.3, 2.5, 2.9, 3.1]
    ratios = sorted(theirs / ours for ours in candidate for theirs in holder)
    found = record_test(exact(candidate), exact(holder))
    assert (found.low.value, found.high.value) == (ratios[2], ratios[-3])
    assert found.coverage == pytest.approx(1 - 8 / 252)


def test_the_interval_covers_the_true_ratio_as_often_as_it_says():
    draw = np.random.Generator(np.random.Philox(1))
    covered = 0
    for _ in range(400):
        candidate, holder = np.exp(draw.normal(size=5)), 2.0 * np.exp(draw.normal(size=5))
        found = record_test(exact(candidate), exact(holder))
        covered += found.low.value <= 2.0 <= found.high.value
    # 96.8% by counting; four standard errors of 400 draws are 3.5 points.
    assert 0.93 <= covered / 400 <= 1.0


@pytest.mark.parametrize(
    ("least", "most", "wanted"),
    [
        (1.4, 2.45, Bound(1.4, "above")),
        (1.0, 2.0, Bound(1.0, "above")),
        (0.5, 0.8, Bound(0.8, "below")),
        (0.5, 2.0, Bound(2.0, "below")),
        (0.5, math.inf, Bound(0.5, "above")),
        (2.0, 2.0, Bound(2.0)),
    ],
)
def test_of_a_ratio_within_two_bounds_the_one_nearer_to_1_is_shown(least, most, wanted):
    assert _bound(least, most) == wanted


@pytest.mark.parametrize(("ours", "theirs"), [([], [1.0]), ([1.0], []), ([], [])])
def test_a_side_without_runs_is_refused(ours, theirs):
    with pytest.raises(ValueError, match="at least one run"):
        record_test(exact(ours), exact(theirs))
