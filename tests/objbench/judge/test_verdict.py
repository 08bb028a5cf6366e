"""Verdicts: the three-way rule by hand, what too few seeds may say, and how many would settle it."""

import math

import numpy as np
import pytest
from scipy.stats import nct, t

from objbench.judge.statistics.multiple_tests import holm, paired_p_values
from objbench.judge.statistics.power import (
    MOST_SEEDS,
    SETTLED,
    MoreSeeds,
    detectable,
    more_seeds,
    seeds_needed,
    seeds_to_add,
)
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.speedup import Bound
from objbench.judge.verdict import (
    compare_at_once,
    judge_early_speedup,
    judge_gain,
    judge_speedup,
)

# Mean 2, sd 1: half-width t(2, 0.975) / sqrt(3) = 4.302653 / 1.732051.
GAINS = np.array([1.0, 2.0, 3.0])
HALF = 4.302653 / math.sqrt(3)


@pytest.mark.parametrize(
    ("claimed", "verdict"),
    [(-0.49, "confirmed"), (-0.48, "inconclusive"), (4.48, "inconclusive"), (4.49, "refuted")],
)
def test_gain_by_hand(claimed, verdict):
    # The interval is 2 -+ 2.4842: -0.4842 to 4.4842.
    found = judge_gain(GAINS, claimed)
    assert found.verdict == verdict
    assert found.comparison == "unclear"
    assert found.estimate == Bound(2.0)
    assert found.low.value == pytest.approx(2 - HALF, rel=1e-6)
    assert found.high.value == pytest.approx(2 + HALF, rel=1e-6)
    assert (found.seeds, found.claimed) == (3, claimed)
    assert found.more_seeds == (None if verdict == "inconclusive" else SETTLED)


def test_direction_of_a_gain_is_its_own_answer():
    # 1.2 claimed, 1.1 to 1.3 seen: inconclusive on the claim, and better all the same.
    found = judge_gain(np.array([1.1, 1.2, 1.3]), 1.2)
    assert (found.verdict, found.comparison) == ("inconclusive", "better")
    assert judge_gain(-GAINS - 2, 1.2).comparison == "worse"
    assert judge_gain(-GAINS - 2, 1.2).verdict == "refuted"


def test_an_interval_that_begins_at_the_claim_confirms_it():
    assert judge_gain(np.array([1.2, 1.2, 1.2]), 1.2).verdict == "confirmed"
    assert judge_gain(np.zeros(3), 0.0).comparison == "unclear"


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_settle_nothing(seeds):
    found = judge_gain(np.arange(100.0, 100.0 + seeds), 1.2)
    assert (found.verdict, found.comparison) == ("inconclusive", "unclear")
    assert (found.low, found.high) == (None, None)
    assert found.more_seeds is None
    assert found.reason == "too few seeds"
    one = SeedCurves(np.array([[1.0, 2.0]] * seeds), np.array([[0.0, 1.0]] * seeds))
    fast = judge_speedup(one, SeedCurves(one.spend, one.scores + 9), 1.5)
    assert (fast.verdict, fast.low, fast.high) == ("inconclusive", None, None)
    assert fast.estimate == Bound(2.0, "above")


@pytest.mark.parametrize("bad", [np.array([]), np.array([[1.0]]), np.array([1.0, np.nan])])
def test_gains_that_are_rejected(bad):
    with pytest.raises(ValueError, match="finite differences"):
        judge_gain(bad, 1.0)


@pytest.mark.parametrize("claimed", [0.0, -1.0, math.nan, math.inf])
def test_claims_that_are_rejected(claimed):
    one = SeedCurves(np.array([[1.0]]), np.array([[1.0]]))
    with pytest.raises(ValueError, match="claimed speedup"):
        judge_speedup(one, one, claimed)
    if not math.isfinite(claimed):
        with pytest.raises(ValueError, match="claimed gain"):
            judge_gain(GAINS, claimed)


def line(slope, shifts, first=1.0, last=10.0, points=91):
    """Score = slope * spend, shifted by seed."""
    spend = np.linspace(first, last, points)
    return SeedCurves(np.tile(spend, (len(shifts), 1)), slope * spend + np.array(shifts)[:, None])


# The gap at the target closes at spend 5 -+ t * 0.1 / sqrt(3) / 2 = 5 -+ 0.1242: 1.95 to 2.05.
BASELINE = line(1.0, [0.0, 0.0, 0.0])
CANDIDATE = line(2.0, [-0.1, 0.0, 0.1])


@pytest.mark.parametrize(
    ("claimed", "verdict"),
    [(1.5, "confirmed"), (1.95, "confirmed"), (2.0, "inconclusive"), (2.06, "refuted")],
)
def test_speedup_by_hand(claimed, verdict):
    found = judge_speedup(BASELINE, CANDIDATE, claimed)
    half = HALF * 0.1 / 2
    assert found.verdict == verdict
    assert found.comparison == "better"
    assert found.low.value == pytest.approx(10 / (5 + half), rel=1e-6)
    assert found.high.value == pytest.approx(10 / (5 - half), rel=1e-6)


def test_a_claim_beyond_what_was_measured():
    # Ratios 1 to 10 were measured; the interval decides on 20 and 0.9 all the same.
    assert judge_speedup(BASELINE, CANDIDATE, 20.0).verdict == "refuted"
    assert judge_speedup(BASELINE, CANDIDATE, 0.9).verdict == "confirmed"
    # It does not where its end there was not measured: "greater than 10" may or may not be 20.
    ahead = SeedCurves(CANDIDATE.spend, CANDIDATE.scores + 20)
    found = judge_speedup(BASELINE, ahead, 20.0)
    assert (found.verdict, found.low, found.more_seeds) == (
        "inconclusive",
        Bound(10, "above"),
        None,
    )
    assert (found.reason, found.measured) == ("not measured", (1.0, 10.0))
    assert judge_speedup(BASELINE, ahead, 10.0).verdict == "confirmed"


def test_a_candidate_that_never_gets_there_is_refuted_and_worse():
    behind = line(0.5, [-0.1, 0.0, 0.1])
    found = judge_speedup(BASELINE, behind, 1.0)
    assert (found.verdict, found.comparison) == ("refuted", "worse")
    assert found.estimate == found.high == Bound(1.0, "below")
    # Half of the baseline's speed is below what was measured: nothing is known of 0.5.
    assert judge_speedup(BASELINE, behind, 0.4).verdict == "inconclusive"


def test_a_curve_against_itself_is_unclear():
    found = judge_speedup(CANDIDATE, CANDIDATE, 1.0)
    assert (found.verdict, found.comparison) == ("inconclusive", "unclear")
    assert found.estimate == Bound(1.0)


def test_where_the_points_are_too_coarse_more_seeds_are_no_answer():
    few = line(2.0, [-1e-3, 0.0, 1e-3], points=4)  # at 1, 4, 7, 10
    found = judge_speedup(BASELINE, few, 2.0)
    assert (found.verdict, found.more_seeds) == ("inconclusive", None)
    assert (found.low, found.high) == (Bound(10 / 7), Bound(10 / 4))
    assert found.reason == "between points"


def test_who_is_ahead_at_the_same_spend_is_faster_though_the_interval_ends_at_1():
    """The target is reached between the last two points, and surely before the last of them."""
    baseline, equal = (line(1.0, shifts, points=4) for shifts in ([0.0] * 3, [-0.01, 0.0, 0.01]))
    found = judge_speedup(baseline, line(1.0, [0.49, 0.5, 0.51], points=4), 1.2)
    assert (found.low, found.high) == (Bound(1.0), Bound(10 / 7))
    assert found.estimate.value > 1
    assert (found.verdict, found.reason) == ("inconclusive", "between points")
    assert found.comparison == "better"
    # One that is just as good, with as little noise, is not.
    assert judge_speedup(baseline, equal, 1.2).comparison == "unclear"
    assert judge_speedup(baseline, baseline, 1.2).comparison == "unclear"


def critical(seeds):
    """The mixture's critical value, by its formula."""
    k = 1 + 4 * seeds
    bound = (math.sqrt(k) / 0.05) ** (2 / seeds)
    return math.sqrt((seeds - 1) * (bound - 1) / (1 - bound / k))


def smallest(mean, deviation, seeds):
    """The least n above ``seeds`` that fulfils the formula, by a plain loop."""
    n = seeds + 1
    while (critical(n) + t.ppf(0.8, n - 1)) * deviation / math.sqrt(n) > mean:
        n += 1
    return n - seeds


@pytest.mark.parametrize("seeds", [3, 5, 20])
def test_what_seeds_can_show_is_what_so_many_are_needed_for(seeds):
    least = detectable(seeds)
    assert seeds_needed(1.0001 * least, 1.0) == seeds
    assert seeds_needed(0.9999 * least, 1.0) > seeds
    assert detectable(2) is None and seeds_needed(1e-9, 1.0) is None


def test_seeds_to_add_is_the_smallest_number_that_fulfils_the_formula():
    assert seeds_to_add(1.0, 1.0, 5) == smallest(1.0, 1.0, 5) == 16
    assert seeds_to_add(-1.0, 1.0, 5) == 16
    assert seeds_to_add(0.3, 1.2, 8) == smallest(0.3, 1.2, 8)


def test_more_seeds_are_a_range_since_the_spread_is_uncertain():
    # 80% of chi-square with 4 degrees of freedom lie between 1.0636 and 7.7794.
    low, high = math.sqrt(4 / 7.7794), math.sqrt(4 / 1.0636)
    wanted = MoreSeeds(smallest(1.0, low, 5), smallest(1.0, high, 5))
    assert more_seeds(1.0, 1.0, 5) == wanted == MoreSeeds(7, 68)
    gains = 1.0 + np.array([-1.0, 1.0, 0.0, -1.0, 1.0])
    assert judge_gain(gains, 0.0).more_seeds == wanted
    # More seeds know their spread better.
    later = more_seeds(1.0, 1.0, 30)
    assert later.high - later.low < wanted.high - wanted.low


def test_the_range_holds_the_number_that_the_true_spread_would_give():
    random = np.random.default_rng(3)
    for seeds in (5, 12):
        found = random.normal(0.0, 1.0, (600, seeds)).std(axis=1, ddof=1)
        true = seeds_to_add(0.8, 1.0, seeds)
        ranges = [more_seeds(0.8, float(deviation), seeds) for deviation in found]
        inside = np.mean([r.low <= true <= (r.high or MOST_SEEDS) for r in ranges])
        # A whole number at the very end of a range counts as inside.
        assert 0.77 < inside < 0.87


@pytest.mark.parametrize("distance", [0.35, 0.5, 0.8, 1.2])
def test_the_power_it_plans_for_is_there(distance):
    n = 5 + seeds_to_add(distance, 1.0, 5)

    def power(size):
        return 1 - nct.cdf(critical(size), size - 1, distance * math.sqrt(size))

    assert power(n) > 0.79
    # No more than a few seeds too many.
    assert power(n - 4) < 0.8


def test_out_of_reach_or_undefined():
    assert more_seeds(0.0, 1.0, 5) is None
    assert more_seeds(0.01, 1.0, 5) is None
    assert more_seeds(1.0, 1.0, 4) is None
    assert more_seeds(1.0, 1.0, MOST_SEEDS) is None
    assert more_seeds(1.0, 0.0, 5) == MoreSeeds(1, 1)
    # Seeds of the least likely spread settle it, those of the greatest do not.
    assert more_seeds(0.2, 1.0, 5) == MoreSeeds(smallest(0.2, math.sqrt(4 / 7.7794), 5), None)


def pair(gaps):
    """A baseline that rises early, and a candidate that is better by these gaps at every point.

    A crossing between the last two points would be a matter of their spacing.
    """
    spend = np.tile([1.0, 2.0, 3.0, 4.0], (len(gaps), 1))
    level = np.arange(len(gaps), dtype=float)[:, None] + np.array([0.0, 0.9998, 0.9999, 1.0])
    return SeedCurves(spend, level), SeedCurves(spend, level + np.array(gaps)[:, None])


def test_comparing_at_once_is_holms_correction_of_the_paired_t_test():
    """Where the curves are parallel the test is that of the gaps at the end of the budget."""
    rows = {
        "clear": (0.20, 0.21, 0.19, 0.20),
        "doubtful": (0.06, 0.20, 0.08, 0.14),
        "worse": (-0.30, -0.29, -0.31, -0.35),
        "none": (0.1, -0.1, 0.2, -0.2),
    }
    for names in (("doubtful",), ("clear", "doubtful"), ("doubtful", "none"), tuple(rows)):
        raw = paired_p_values(np.array([rows[name] for name in names]))
        adjusted = dict(zip(names, holm(raw), strict=True))
        wanted = {
            name: "unclear"
            if adjusted[name] > 0.05
            else "better"
            if np.mean(rows[name]) > 0
            else "worse"
            for name in names
        }
        assert compare_at_once({name: pair(rows[name]) for name in names}) == wanted
    # Holm and not Bonferroni: what is settled no longer counts.
    assert (
        compare_at_once({n: pair(rows[n]) for n in ("clear", "doubtful")})["doubtful"] == "better"
    )
    assert (
        compare_at_once({n: pair(rows[n]) for n in ("none", "doubtful")})["doubtful"] == "unclear"
    )
    assert compare_at_once({}) == {}


def test_too_few_seeds_compare_nothing():
    assert compare_at_once({"a": pair((0.2, 0.2))}) == {"a": "unclear"}


def test_a_budget_that_is_a_step_short_is_the_whole_budget():
    """Whole steps end a candidate at 0.99995 of the budget; it has been measured all the same."""
    spend = np.tile([0.5, 1.0], (5, 1))
    worse = np.tile([1.0, 2.0], (5, 1)) + 0.01 * np.arange(5)[:, None]
    baseline = SeedCurves(spend, worse + 1.0, step=1 / 20_000)
    short = SeedCurves(spend * 0.99995, worse, step=1 / 19_999)
    found = judge_speedup(baseline, short, 1.0)
    assert (found.verdict, found.comparison, found.reason) == ("refuted", "worse", "settled")
    assert compare_at_once({"short": (baseline, short)}) == {"short": "worse"}
    # Without knowing the steps, or with more of them missing than one, it is another budget.
    for step, share in ((0.0, 0.99995), (1 / 19_999, 0.999)):
        other = SeedCurves(spend * share, worse, step=step)
        found = judge_speedup(SeedCurves(spend, worse + 1.0), other, 1.0)
        assert (found.verdict, found.comparison) == ("inconclusive", "unclear")
        assert found.reason == "not measured"


def test_an_open_claim_at_the_end_of_a_budget_a_step_short_is_open_for_want_of_seeds():
    """A candidate that ends at 0.99995 of the budget was measured at 1x: the claim is within."""
    spend = np.tile([0.5, 1.0], (5, 1))
    scores = np.tile([1.0, 2.0], (5, 1)) + 0.01 * np.arange(5)[:, None]
    gaps = np.array([-0.9, 0.4, -0.5, 0.2, -0.3])[:, None]
    baseline = SeedCurves(spend, scores, step=1 / 20_000)
    found = judge_speedup(
        baseline, SeedCurves(spend * 0.99995, scores + gaps, step=1 / 19_999), 1.0
    )
    assert (found.verdict, found.reason) == ("inconclusive", "within")
    mean, deviation = gaps.mean(), gaps.std(ddof=1)
    assert found.more_seeds == more_seeds(mean, deviation, 5) is not None
    unknown = SeedCurves(spend * 0.99995, scores + gaps)
    found = judge_speedup(SeedCurves(spend, scores), unknown, 1.0)
    assert (found.reason, found.more_seeds) == ("not measured", None)


def test_at_two_thirds_of_the_budget_a_speedup_is_measured_twice_over():
    # The baseline scores 20 / 3 at two thirds of 10; the candidate does so at 10 / 3 -+ 0.1242.
    found = judge_early_speedup(BASELINE, CANDIDATE, 1.9)
    half = HALF * 0.1 / 2
    assert found.estimate.value == pytest.approx(2.0)
    assert found.low.value == pytest.approx(20 / 3 / (10 / 3 + half), rel=1e-6)
    assert found.high.value == pytest.approx(20 / 3 / (10 / 3 - half), rel=1e-6)
    assert found.measured == (pytest.approx(2 / 3), pytest.approx(20 / 3))
    # Each seed by its own clock, brought to the median one.
    clocks = np.array([[0.5], [1.0], [3.0]])
    slow = [SeedCurves(side.spend * clocks, side.scores) for side in (BASELINE, CANDIDATE)]
    assert judge_early_speedup(*slow, 1.9).estimate.value == pytest.approx(2.0)
    late = SeedCurves(np.array([[7.0, 10.0]] * 3), np.array([[0.0, 1.0]] * 3))
    with pytest.raises(ValueError, match="outside the measured"):
        judge_early_speedup(late, late, 1.0)


def test_at_two_thirds_equal_objectives_are_never_censored():
    """Equal objectives reach the final score within the budget in about half of the studies."""
    random = np.random.default_rng(8)
    spend = np.tile(np.linspace(0.1, 1.0, 10), (5, 1))
    ends, early = [], []
    for _ in range(200):
        sides = [
            SeedCurves(spend, np.log(spend) + random.normal(0.0, 0.02, spend.shape)) for _ in "ab"
        ]
        ends.append(judge_speedup(*sides, 1.0))
        early.append(judge_early_speedup(*sides, 1.0))
    assert 0.3 < np.mean([found.estimate.side == "below" for found in ends]) < 0.7
    for found in early:
        assert (found.estimate.side, found.low.side, found.high.side) == ("", "", "")
    wrong = np.mean([found.comparison != "unclear" for found in early])
    assert wrong <= 0.08
