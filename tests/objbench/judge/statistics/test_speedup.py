"""Speedup with its interval: hand-computed curves, the test turned round, bounds, invariants."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.speedup import Bound, speedup_at, speedup_function, target_gaps
from objbench.judge.statistics.target_crossing import BEFORE, NEVER, crossing

# t(2, 0.975), from a printed table.
T2 = 4.302653


def curves(spend, *rows):
    """One row of scores a seed, all at the same spends."""
    return SeedCurves(np.tile(np.array(spend, dtype=float), (len(rows), 1)), np.array(rows))


def noisy(generator, seeds=5, points=10, speedup=1.0, level=0.5, error=0.2):
    spend = np.arange(1, points + 1) / points
    scores = 70 + 3 * np.log(spend * speedup) + generator.normal(0, level, (seeds, 1))
    return curves(spend, *(scores + generator.normal(0, error, (seeds, points))))


def test_tacos_figure_by_hand():
    # From 74.85 at 50k to 75.5 at 100k, 75.0 is 0.15 / 0.65 of the way: 61.538k; 250 / 61.538.
    found = speedup_at(curves([250.0], [75.0]), curves([50.0, 100.0], [74.85, 75.5]))
    assert found.estimate.value == pytest.approx(4.0625)
    assert (found.target, found.spend, found.estimate.side) == (75.0, 250.0, "")
    assert (found.low, found.high) == (None, None)


def test_interval_by_hand():
    # Three seeds whose candidate rises by 1 a unit of spend, from -4 to 4 around the target at
    # spends 1 to 9, shifted by -0.1, 0 and 0.1: sd 0.1, half-width t * 0.1 / sqrt(3) in score and
    # so in spend: 5 -+ 0.2484. A point every 0.1 keeps the interval wider than the points.
    spend = np.arange(10, 91) / 10
    candidate = curves(spend, *(spend - 5 + shift for shift in (-0.1, 0.0, 0.1)))
    baseline = curves([1.0, 10.0], *[[-4.0, 0.0]] * 3)
    found = speedup_at(baseline, candidate)
    half = T2 * 0.1 / math.sqrt(3)
    assert found.estimate.value == pytest.approx(2.0)
    assert found.low.value == pytest.approx(10 / (5 + half), rel=1e-6)
    assert found.high.value == pytest.approx(10 / (5 - half), rel=1e-6)
    assert (found.low.side, found.high.side) == ("", "")


def test_interval_ends_where_scipys_t_test_stops_rejecting():
    generator = np.random.default_rng(3)
    baseline, candidate = noisy(generator), noisy(generator, speedup=2.0)
    gaps = target_gaps(baseline, candidate)
    found = speedup_at(baseline, candidate)
    for bound, sign in ((found.low, 1), (found.high, -1)):
        assert bound.side == ""
        test = ttest_1samp(gaps.at(bound.value), 0.0)
        assert test.pvalue == pytest.approx(0.05, abs=1e-6)
        assert math.copysign(1, test.statistic) == sign


def test_rejected_between_two_points_only_at_the_root():
    # A search over a fine grid finds the same ends as the bisection within one segment.
    generator = np.random.default_rng(5)
    spend = np.linspace(0.1, 1.0, 10)
    gaps = (
        3 * np.log(spend * 2) + generator.normal(0, 1.0, (4, 1)) + generator.normal(0, 0.3, (4, 10))
    )
    found = crossing(gaps, spend)
    grid = np.linspace(0.1, 1.0, 20001)
    values = np.array([np.interp(grid, spend, row) for row in gaps])
    half = 3.182446 * values.std(axis=0, ddof=1) / 2  # t(3, 0.975), sqrt(4)
    early = grid[np.argmax(values.mean(axis=0) >= -half)]
    late = grid[np.flatnonzero(values.mean(axis=0) <= half)[-1]]
    assert float(found.tested_early) == pytest.approx(early, abs=1e-4)
    assert float(found.tested_late) == pytest.approx(late, abs=1e-4)


def test_an_interval_is_never_finer_than_the_points():
    # Seeds 0.001 apart settle the crossing of the straight line, not of the curve: [4, 6].
    rows = [np.array([-4.0, -1.0, 1.0, 4.0]) + shift for shift in (-1e-3, 0.0, 1e-3)]
    found = speedup_at(curves([1.0, 12.0], *[[-4.0, 0.0]] * 3), curves([2.0, 4.0, 6.0, 8.0], *rows))
    assert found.estimate.value == pytest.approx(12 / 5)
    assert (found.low, found.high) == (Bound(12 / 6), Bound(12 / 4))


SPENDS = np.array([1.0, 2.0, 4.0, 8.0])


def drawn(generator):
    """Gaps of three to eight seeds at ``SPENDS``, some quiet and some noisy, that rise on the whole."""
    seeds, noise = generator.integers(3, 9), 10.0 ** generator.uniform(-4, 0.3)
    return np.sort(generator.normal(size=4)) + noise * generator.normal(size=(seeds, 4))


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 0.99), st.floats(0.0, 1.0))
def test_a_wider_interval_or_noisier_seeds_never_settle_what_was_open(seed, level, more):
    """Of intervals at two levels, and of seeds twice as far from their mean, one holds the other."""
    gaps = drawn(np.random.default_rng(seed))
    found, wider = (
        crossing(gaps, SPENDS, level),
        crossing(gaps, SPENDS, level + more * (0.999 - level)),
    )
    mean = gaps.mean(axis=0)
    noisier = crossing(mean + 2 * (gaps - mean), SPENDS, level)
    for other in (wider, noisier):
        assert np.isclose(other.estimate, found.estimate, rtol=1e-9)
        assert other.early <= found.early * (1 + 1e-9)
        assert other.late >= found.late * (1 - 1e-9)
    inside = [place for place in SPENDS if place < found.estimate]
    if inside and np.isfinite(found.estimate) and found.estimate > inside[-1] * (1 + 1e-6):
        assert found.early <= inside[-1]
        assert found.late >= SPENDS[len(inside)]


def test_the_points_around_the_estimate_are_in_an_interval_that_ends_beyond_one_of_them():
    """By hand: the test ends at 1.996 and 2.004, on either side of a point; the estimate is below 2."""
    spread = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[:, None]
    gaps = np.array([-1.0, 0.002, 1.0]) + 0.004 * spread
    found = crossing(gaps, np.array([1.0, 2.0, 3.0]))
    assert 1.99 < found.tested_early < found.estimate < 2.0 < found.tested_late < 2.01
    assert (found.early, found.late) == (1.0, found.tested_late)
    # 1.5 was settled by the test alone on a line that nobody has measured.
    assert not found.missed_at(1.5)
    assert found.is_between(1.5)
    assert not found.is_between(2.001)


def test_a_crossing_at_a_point_itself_is_not_widened():
    rows = [[-4.0, 0.0, 4.0]] * 3
    found = speedup_at(curves([1.0, 12.0], *[[-4.0, 0.0]] * 3), curves([2.0, 4.0, 6.0], *rows))
    assert found.low.value == pytest.approx(3.0)
    assert found.high.value == pytest.approx(3.0)


def test_not_reached_and_there_before_are_bounds():
    baseline = curves([1.0, 10.0], [0.0, 5.0], [0.0, 5.1], [0.0, 4.9])
    never = speedup_at(baseline, curves([2.0, 8.0], [0.0, 1.0], [0.0, 1.1], [0.0, 0.9]))
    assert never.estimate == never.low == never.high == Bound(10 / 8, "below")
    before = speedup_at(baseline, curves([2.0, 8.0], [8.0, 9.0], [8.1, 9.0], [7.9, 9.0]))
    assert before.estimate == before.low == before.high == Bound(10 / 2, "above")


def test_an_end_that_was_not_measured_is_a_bound():
    spend = np.array([1.0, 2.0, 3.0])
    baseline = curves([1.0, 3.0], *[[0.0, 0.0]] * 3)
    # The gap's half-width at the ends is larger than the gap: nothing is settled on either side.
    found = speedup_at(
        baseline, curves(spend, *(np.array([-1.0, 0.1, 1.0]) + s for s in (-1, 0, 1)))
    )
    assert (found.low, found.high) == (Bound(1.0, "below"), Bound(3.0, "above"))
    assert found.estimate.value == pytest.approx(3 / (1 + 1 / 1.1))


def test_a_curve_against_itself_is_1_exactly():
    baseline = noisy(np.random.default_rng(0), error=0.0)
    found = speedup_at(baseline, baseline)
    assert found.estimate == Bound(1.0)


def test_isotonic_mean_decides_the_first_reach():
    # 3 and -1 pool to 1: the target 0 is reached on the way to 1, at 1.5, not on the way to 3.
    candidate = curves([1.0, 2.0, 3.0], [-1.0, 3.0, -1.0])
    found = speedup_at(curves([3.0], [0.0]), candidate)
    assert found.estimate.value == pytest.approx(3 / 1.5)


def test_the_codes_of_a_crossing():
    spend = np.array([1.0, 2.0])
    gaps = np.array([[[-1.0, -0.5]] * 3, [[0.5, 1.0]] * 3])
    found = crossing(gaps, spend)
    assert found.estimate.tolist() == [NEVER, BEFORE]
    assert found.covers(2.5).tolist() == [True, False]
    assert found.covers(0.5).tolist() == [False, True]
    assert found.covers(1.5).tolist() == [False, False]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_a_better_candidate_is_never_slower(seed, better):
    generator = np.random.default_rng(seed)
    baseline, candidate = noisy(generator, seeds=4), noisy(generator, seeds=4, speedup=1.5)
    raised = SeedCurves(candidate.spend, candidate.scores + better)
    before, after = speedup_at(baseline, candidate), speedup_at(baseline, raised)
    for name in ("estimate", "low", "high"):
        assert order(getattr(after, name)) >= order(getattr(before, name))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 6))
def test_the_interval_holds_the_estimate_and_scores_may_shift(seed, seeds):
    generator = np.random.default_rng(seed)
    baseline, candidate = noisy(generator, seeds=seeds), noisy(generator, seeds=seeds, speedup=3.0)
    found = speedup_at(baseline, candidate)
    assert order(found.low) <= order(found.estimate) <= order(found.high)
    # A level that both objectives of a seed share takes no part.
    levels = generator.normal(0, 10, (seeds, 1))
    shifted = speedup_at(
        SeedCurves(baseline.spend, baseline.scores + levels),
        SeedCurves(candidate.spend, candidate.scores + levels),
    )
    for name in ("estimate", "low", "high"):
        assert getattr(shifted, name).value == pytest.approx(getattr(found, name).value, rel=1e-6)


def order(bound):
    return ({"below": -1, "": 0, "above": 1}[bound.side], bound.value)


def test_a_slower_machine_takes_no_part():
    # Seed 1 ran on a machine half as fast: both objectives took twice the seconds there.
    generator = np.random.default_rng(2)
    baseline, candidate = noisy(generator, seeds=3), noisy(generator, seeds=3, speedup=2.0)
    slow = np.array([[1.0], [2.0], [1.0]])
    found = speedup_at(
        SeedCurves(baseline.spend * slow, baseline.scores),
        SeedCurves(candidate.spend * slow, candidate.scores),
    )
    assert found == speedup_at(baseline, candidate)


def test_another_target():
    generator = np.random.default_rng(4)
    baseline, candidate = noisy(generator), noisy(generator, speedup=2.0)
    found = speedup_at(baseline, candidate, spend=0.6)
    assert found.target == pytest.approx(baseline.scores[:, 5].mean())
    assert (found.spend, found.estimate.side) == (0.6, "")
    assert found.low.value < 2.0 < found.high.value
    with pytest.raises(ValueError, match="outside the measured"):
        speedup_at(baseline, candidate, spend=2.0)


def test_unpaired_seeds_are_rejected():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="not paired by seed: 5 against 4"):
        speedup_at(noisy(generator), noisy(generator, seeds=4))


def test_the_function_runs_over_rising_targets_and_ends_at_the_headline():
    spend = np.arange(1, 11) / 10
    baseline = curves(spend, *[10 * spend + s for s in (-0.2, 0.0, 0.2)])
    candidate = curves(spend, *[20 * spend + s for s in (-0.2, 0.0, 0.2)])
    found = speedup_function(baseline, candidate, points=10)
    assert [at.target for at in found] == pytest.approx([float(t) for t in range(1, 11)])
    assert found[-1].spend == 1.0
    # The candidate's first point scores 2: a target of 1 it has passed before it was measured,
    # one of 2 it meets there.
    assert found[0].estimate == Bound(pytest.approx(1.0), "above")
    assert [at.estimate.value for at in found[2:]] == pytest.approx([2.0] * 8)


def test_flat_stretches_have_one_target_at_their_earliest_spend():
    baseline = curves([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 2.0, 2.0])
    found = speedup_function(baseline, baseline, points=3)
    assert [at.spend for at in found] == [1.0, 1.5, 2.0]
    flat = curves([1.0, 2.0], [3.0, 3.0])
    assert [at.spend for at in speedup_function(flat, flat)] == [1.0]


def test_noisy_baselines_are_pooled():
    # The mean 0, 3, 1, 4 becomes 0, 2, 2, 4: target 2 is bought at spend 2, not between 1 and 2.
    baseline = curves([1.0, 2.0, 3.0, 4.0], [0.0, 3.0, 1.0, 4.0])
    found = speedup_function(baseline, baseline, points=3)
    assert [(at.target, at.spend) for at in found] == [(0.0, 1.0), (2.0, 2.0), (4.0, 4.0)]


def test_targets_may_be_named_and_those_beyond_the_curve_are_left_out():
    spend = np.arange(1, 11) / 10
    baseline = curves(spend, *[10 * spend + s for s in (-0.2, 0.0, 0.2)])
    candidate = curves(spend, *[20 * spend + s for s in (-0.2, 0.0, 0.2)])
    found = speedup_function(baseline, candidate, targets=np.array([7.5, 0.5, 11.0, 4.0]))
    assert [(at.target, at.spend) for at in found] == [
        (pytest.approx(4.0), pytest.approx(0.4)),
        (pytest.approx(7.5), pytest.approx(0.75)),
    ]
    # Targets done together are what each is by itself.
    for at in found:
        assert speedup_at(baseline, candidate, spend=at.spend) == at


def test_a_function_needs_a_target():
    one = curves([1.0], [1.0])
    with pytest.raises(ValueError, match="at least 1 target"):
        speedup_function(one, one, points=0)
