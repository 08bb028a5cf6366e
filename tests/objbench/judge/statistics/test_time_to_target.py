"""Time to a target: against plain loops, at the ends that are bounds, and the interval's coverage by counting."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.time_to_target import Reached, median_spend, reached

STEPS = np.array([100.0, 200.0, 400.0])


def run_of(value):
    """A run between two points of its own, so that no interval lies between two points of all."""
    return Reached(value, value, value / 2, value * 2, 2 + int(value))


def never(last):
    return Reached(last, math.inf, last, math.inf, 0)


def at_first_look(first):
    return Reached(0.0, first, 0.0, first, 1)


def risen(scores):
    """The nearest rising sequence, by pooling neighbours until none is out of order."""
    blocks = [[score] for score in scores]
    at = 0
    while at + 1 < len(blocks):
        if sum(blocks[at]) / len(blocks[at]) > sum(blocks[at + 1]) / len(blocks[at + 1]):
            blocks[at] += blocks.pop(at + 1)
            at = max(at - 1, 0)
        else:
            at += 1
    return [sum(block) / len(block) for block in blocks for _ in block]


def by_loops(steps, spend, scores, target):
    """The spend at the target, with a loop over the points; 0 for before the first, infinity for never."""
    scores = risen(scores)
    if scores[0] >= target:
        return 0.0
    for index in range(1, len(steps)):
        if scores[index] >= target:
            share = (target - scores[index - 1]) / (scores[index] - scores[index - 1])
            log_step = math.log(steps[index - 1]) + share * math.log(
                steps[index] / steps[index - 1]
            )
            # What a spend proportional to steps would be there.
            way = (log_step - math.log(steps[index - 1])) / math.log(
                steps[index] / steps[index - 1]
            )
            return spend[index - 1] ** (1 - way) * spend[index] ** way
    return math.inf


def test_halfway_in_score_is_halfway_in_the_logarithm_of_steps():
    found = reached(STEPS, 3.0 * STEPS, np.array([-4.0, -3.0, -2.0]), -2.5)
    assert found.least == pytest.approx(3.0 * math.sqrt(200.0 * 400.0))
    assert found.is_exact and found.point == 3
    assert (found.before, found.after) == (600.0, 1200.0)


@settings(deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    st.floats(-5, 5),
    st.floats(0.1, 100),
)
def test_it_is_what_a_loop_finds(scores, target, cost):
    steps = 10.0 * np.sqrt(2.0) ** np.arange(len(scores))
    if min(abs(score - target) for score in risen(scores)) < 1e-6:
        return  # the loop does not know what rounding is
    found = reached(steps, cost * steps, np.array(scores), target)
    wanted = by_loops(steps, cost * steps, scores, target)
    if wanted == 0.0:
        assert found == Reached(0.0, cost * steps[0], 0.0, cost * steps[0], 1)
    elif math.isinf(wanted):
        assert found.point == 0 and found.least == cost * steps[-1] and math.isinf(found.most)
    else:
        assert found.is_exact and found.least == pytest.approx(wanted, rel=1e-9)
        assert found.before <= found.least * (1 + 1e-12) and found.least <= found.after * (
            1 + 1e-12
        )


def test_what_comes_before_the_first_look_or_after_the_last_is_a_bound():
    scores = np.array([-4.0, -3.0, -2.0])
    assert reached(STEPS, STEPS, scores, -4.0).bound == Bound(100.0, "below")
    assert reached(STEPS, STEPS, scores, -1.9).bound == Bound(400.0, "above")
    assert reached(STEPS, STEPS, scores, -3.0).bound == Bound(200.0)


def test_a_score_at_the_target_but_for_rounding_has_reached_it():
    assert reached(STEPS, STEPS, np.array([0.0, 0.0, 0.1 + 0.2 - 1e-13]), 0.3).point == 3


def test_a_clock_that_went_backwards_still_gives_a_spend_between_the_two_looks():
    found = reached(STEPS, np.array([10.0, 30.0, 20.0]), np.array([-4.0, -3.0, -2.0]), -2.5)
    assert 20.0 < found.least < 30.0 and (found.before, found.after) == (20.0, 30.0)


@pytest.mark.parametrize(
    ("steps", "spend", "scores"),
    [
        ([], [], []),
        ([1.0, 2.0], [1.0], [1.0, 2.0]),
        ([1.0, 1.0], [1.0, 2.0], [1.0, 2.0]),
        ([0.0, 1.0], [1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [1.0, 2.0], [1.0, math.nan]),
        ([1.0, 2.0], [1.0, math.inf], [1.0, 2.0]),
    ],
)
def test_what_is_no_run_is_refused(steps, spend, scores):
    with pytest.raises(ValueError, match=r"run needs|must be"):
        reached(np.array(steps), np.array(spend), np.array(scores), 0.0)


@pytest.mark.parametrize("runs", range(1, 13))
def test_the_interval_covers_what_counting_all_orders_says(runs):
    """Each run is below the median or above it like a coin: count the patterns that leave it outside."""
    places = [10.0 * 3.0**number for number in range(runs)]
    found = median_spend([Reached(at, at, 0.9 * at, 1.1 * at, 2) for at in places])
    low, high = (round(math.log(end.value / 10.0, 3)) for end in (found.low, found.high))
    if runs > 1:
        inside = sum(
            low < sum(pattern) and sum(pattern) <= high for pattern in product((0, 1), repeat=runs)
        )
        assert found.coverage == pytest.approx(inside / 2**runs)
        # The next pair inwards would cover less than 95%, or this is the widest there is.
        assert found.coverage >= 0.95 or (low, high) == (0, runs - 1)


def test_five_runs_by_hand():
    found = median_spend([run_of(value) for value in (5.0, 50.0, 20.0, 400.0, 90.0)])
    assert (found.estimate, found.low, found.high) == (Bound(50.0), Bound(5.0), Bound(400.0))
    assert found.coverage == pytest.approx(0.9375) and found.reached == (5, 5)


def test_censored_runs_stay_and_are_the_last():
    found = median_spend([run_of(5.0), never(7.0), run_of(9.0), never(7.0), run_of(6.0)])
    assert (found.estimate, found.high) == (Bound(9.0), Bound(9.0, "above"))
    assert found.reached == (3, 5)
    most = median_spend([run_of(5.0), never(7.0), run_of(9.0), never(7.0), never(7.0)])
    assert most.estimate == Bound(9.0, "above")


def test_runs_that_had_reached_it_at_the_first_look_come_first():
    found = median_spend([at_first_look(4.0)] * 3 + [run_of(9.0)] * 2)
    assert (found.low, found.estimate) == (Bound(4.0, "below"),) * 2


def test_a_bound_is_never_on_the_wrong_side_of_the_median():
    found = median_spend([*map(run_of, (95.0, 97.0, 100.0, 103.0)), never(20.0)])
    assert (found.estimate, found.high) == (Bound(100.0), Bound(103.0, "above"))
    found = median_spend([run_of(8.0), at_first_look(10.0), *map(run_of, (9.0, 11.0, 12.0))])
    assert (found.low, found.estimate) == (Bound(8.0, "below"), Bound(9.0))


A_RUN = st.one_of(*(st.floats(1, 100).map(kind) for kind in (run_of, never, at_first_look)))


@given(st.lists(A_RUN, min_size=1, max_size=9))
def test_the_ends_are_those_of_all_runs_that_are_before_and_beyond(runs):
    """Taking those that never arrived as infinity and those at the first point as zero, by loops."""
    by_kind = {
        kind: [r for r in runs if r.is_exact + 2 * (r.point == 0) == kind] for kind in range(3)
    }
    exact = sorted(run.least for run in by_kind[1])
    known = [0.0] * len(by_kind[0]) + exact + [math.inf] * len(by_kind[2])
    place = next((k for k in range(len(runs) // 2, 0, -1) if outside(k, len(runs)) <= 0.05), 1)
    found = median_spend(runs)
    for end, value in ((found.low, known[place - 1]), (found.high, known[-place])):
        if value == 0.0:
            assert end.side == "below" and all(end.value <= other for other in exact)
        elif math.isinf(value):
            assert end.side == "above" and all(end.value >= other for other in exact)
        else:
            assert end.side == ""


def outside(place, runs):
    """How often fewer than ``place`` of ``runs`` coins are heads, or fewer are tails."""
    return 2 * sum(math.comb(runs, heads) for heads in range(place)) / 2**runs


def test_the_two_looks_around_the_median_are_in_its_interval():
    runs = [Reached(value, value, 40.0, 80.0, 2) for value in (50.0, 51.0, 52.0, 53.0, 54.0)]
    found = median_spend(runs)
    assert (found.low, found.estimate, found.high) == (Bound(40.0), Bound(52.0), Bound(80.0))
    # Also where the interval ends beyond one of them, or is open.
    late = median_spend([*runs[:4], Reached(90.0, 90.0, 80.0, 160.0, 3)])
    assert (late.low, late.estimate, late.high) == (Bound(40.0), Bound(52.0), Bound(90.0))
    never_one = median_spend([*runs[:4], never(90.0)])
    assert (never_one.low, never_one.high) == (Bound(40.0), Bound(90.0, "above"))


@pytest.mark.parametrize(
    ("left", "right", "wanted"),
    [
        (run_of(4.0), run_of(9.0), Bound(6.0)),
        (run_of(4.0), never(9.0), Bound(4.0, "above")),
        (at_first_look(4.0), never(9.0), Bound(0.0, "above")),
        (at_first_look(4.0), run_of(9.0), Bound(9.0, "below")),
        (at_first_look(4.0), at_first_look(5.0), Bound(5.0, "below")),
    ],
)
def test_the_median_of_an_even_number_is_between_the_two_in_the_middle(left, right, wanted):
    assert median_spend([left, right]).estimate == wanted


def test_no_run_has_no_median():
    with pytest.raises(ValueError, match="at least one run"):
        median_spend([])
