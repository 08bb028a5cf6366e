"""Speedups against hand-computed cases, TACO's figure 5, and properties that must hold."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.judge.statistics.point_speedup import (
    AT_LEAST,
    NOT_REACHED,
    Reach,
    Speedup,
    first_reach,
    speedup,
)

FIGURES = json.loads((Path(__file__).parents[3] / "data/figures/taco-2022.json").read_text())


def _figure_5(name):
    return [(float(x), y) for x, y in FIGURES["figure_5"][name].items()]


scores = st.integers(0, 1000).map(lambda value: value / 10)
curves = st.lists(
    st.tuples(st.integers(1, 10_000).map(float), scores),
    min_size=1,
    max_size=8,
    unique_by=lambda point: point[0],
)


# -- by hand


def test_taco_figure_5():
    """The paper says "up to 5x"; its own figure, interpolated, says 4.06."""
    found = speedup(_figure_5("mlm"), _figure_5("taco"))
    assert first_reach(_figure_5("taco"), 75.0).spend == pytest.approx(61_538, abs=1)
    assert found.value == pytest.approx(4.0625) and found.note == ""


@pytest.mark.parametrize(
    ("curve", "target", "expected"),
    [
        ([(10, 0.0), (20, 10.0)], 2.5, Reach(12.5)),
        ([(20, 10.0), (10, 0.0)], 2.5, Reach(12.5)),  # in any order
        ([(10, 0.0), (20, 10.0)], 10.0, Reach(20.0)),  # exactly at a point
        ([(10, 5.0), (20, 10.0)], 5.0, Reach(10.0, is_bound=True)),
        ([(10, 5.0), (20, 10.0)], 3.0, Reach(10.0, is_bound=True)),
        ([(10, 0.0), (20, 10.0)], 10.1, Reach(None)),
        ([(10, 0.0), (20, 8.0), (30, 2.0), (40, 9.0)], 4.0, Reach(15.0)),  # the first of three
        ([(10, 0.0), (20, 3.0), (30, 2.0), (40, 6.0)], 4.0, Reach(35.0)),
        ([(10, 4.0)], 5.0, Reach(None)),
    ],
)
def test_first_reach(curve, target, expected):
    assert first_reach(curve, target) == expected


def test_smaller_is_better():
    assert first_reach([(10, 4.0), (20, 2.0)], 3.0, "min") == Reach(15.0)
    assert first_reach([(10, 4.0), (20, 2.0)], 1.0, "min") == Reach(None)
    assert speedup([(10, 4.0), (30, 3.0)], [(10, 4.0), (20, 2.0)], "min") == Speedup(2.0)


def test_the_target_is_the_baselines_last_score_not_its_best():
    baseline = [(10, 5.0), (20, 9.0), (40, 7.0)]
    assert speedup(baseline, [(5, 0.0), (15, 7.0), (25, 6.0)]) == Speedup(40 / 15)
    # It had been at 7 half way from step 10 to 20 before it fell again.
    assert speedup(baseline, baseline) == Speedup(40 / 15)


def test_no_number_and_a_bound():
    assert speedup([(10, 5.0)], [(10, 4.0)]) == Speedup(None, NOT_REACHED)
    assert speedup([(10, 5.0)], [(4, 6.0), (8, 7.0)]) == Speedup(2.5, AT_LEAST)


@pytest.mark.parametrize(
    "curve",
    [[], [(0.0, 1.0)], [(1.0, float("nan"))], [(float("inf"), 1.0)], [(1.0, 1.0), (1.0, 2.0)]],
)
def test_curves_that_make_no_sense(curve):
    with pytest.raises(ValueError, match=r"curve needs|must be positive|same spend"):
        first_reach(curve, 0.5)


# -- properties


@given(curves)
def test_a_curve_against_itself_is_its_own_first_reach(curve):
    found = speedup(curve, curve)
    spent, target = max(curve)
    assert found.value is not None and found.value >= 1.0
    assert spent / found.value == pytest.approx(first_reach(curve, target).spend)


@given(curves, curves, st.floats(0.01, 100.0))
def test_a_dearer_candidate_is_slower_in_proportion(baseline, candidate, price):
    before = speedup(baseline, candidate)
    after = speedup(baseline, [(spend * price, score) for spend, score in candidate])
    assert after.note == before.note
    if before.value is not None:
        assert after.value == pytest.approx(before.value / price)


@given(curves, curves)
def test_directions_are_mirror_images(baseline, candidate):
    def mirrored(curve):
        return [(spend, -score) for spend, score in curve]

    assert speedup(mirrored(baseline), mirrored(candidate), "min") == speedup(baseline, candidate)


@given(curves, scores, scores)
def test_a_higher_target_is_never_reached_earlier(curve, one, other):
    low, high = sorted((one, other))
    early, late = first_reach(curve, low), first_reach(curve, high)
    if late.spend is not None:
        assert early.spend is not None and early.spend <= late.spend + 1e-9


@given(curves, scores)
def test_the_reach_lies_within_the_curve(curve, target):
    reach = first_reach(curve, target)
    best = max(score for _, score in curve)
    assert (reach.spend is None) == (best < target)
    if reach.spend is not None:
        spends = [spend for spend, _ in curve]
        assert min(spends) <= reach.spend <= max(spends)
