"""Rank intervals and tied groups: by hand, against brute force, and how often they hold."""

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from objbench.judge.statistics.multiple_tests import holm, paired_p_values
from objbench.judge.statistics.ranks import (
    differ_from_one,
    group_letters,
    rank_objectives,
    tied_groups,
)

# Five seeds of shared luck, and what each objective adds; the noise is fixed and small.
LUCK = np.array([0.0, 5.0, -4.0, 2.0, -1.0])
WIGGLE = np.array([[1, -1, 0, 0, 0], [0, 1, -1, 0, 0], [0, 0, 1, -1, 0], [0, 0, 0, 1, -1]]) * 0.01


def _scores(*levels):
    return LUCK + np.array(levels)[:, None] + WIGGLE[: len(levels)]


def test_four_objectives_by_hand():
    """Levels 3, 1, 1, 2: first and second are clear, the two at 1 are tied."""
    found = rank_objectives(_scores(3.0, 1.0, 1.0, 2.0))
    assert found.order[0] == 0 and found.order[1] == 3
    assert found.intervals == ((1, 1), (3, 4), (3, 4), (2, 2))
    assert found.letters == ("a", "c", "c", "b")
    assert found.groups[0] == (0,) and set(found.groups[2]) == {1, 2}
    assert found.better[0].tolist() == [False, True, True, True]
    assert not found.better[1, 2] and not found.better[2, 1]


def test_smaller_is_better_turns_the_ranking_round():
    found = rank_objectives(_scores(3.0, 1.0, 1.0, 2.0), direction="min")
    assert found.intervals == ((4, 4), (1, 2), (1, 2), (3, 3))
    assert found.letters == ("c", "a", "a", "b")


def test_the_pairs_are_corrected_for_each_other():
    scores = np.random.Generator(np.random.Philox(3)).normal(size=(4, 5))
    found = rank_objectives(scores)
    pairs = list(combinations(range(4), 2))
    expected = holm(paired_p_values(np.array([scores[i] - scores[j] for i, j in pairs])))
    for (i, j), p_value in zip(pairs, expected, strict=True):
        assert found.p_values[i, j] == found.p_values[j, i] == p_value
    assert np.diag(found.p_values).tolist() == [1.0] * 4


def test_correction_takes_back_what_one_pair_alone_would_claim():
    alone = rank_objectives(np.array([[2.0, 2.5, 3.2], [0.0, 0.0, 0.0]]))
    assert alone.intervals == ((1, 1), (2, 2))
    crowd = np.array([[0.1, -0.2, 0.1], [-0.1, 0.2, 0.2], [0.3, -0.1, -0.2], [0.0, 0.1, -0.3]])
    found = rank_objectives(np.vstack([[[2.0, 2.5, 3.2], [0.0, 0.0, 0.0]], crowd]))
    assert not found.better[0, 1]


@pytest.mark.parametrize("runs", [1, 2])
def test_nobody_is_separable_below_three_seeds(runs):
    found = rank_objectives(np.array([[90.0] * runs, [10.0] * runs, [50.0] * runs]))
    assert found.order == (0, 2, 1)
    assert found.intervals is None and found.p_values is None
    assert found.letters == ("a", "a", "a")
    assert found.groups == ((0, 2, 1),)


def test_equal_runs_tie_and_a_constant_step_separates():
    found = rank_objectives(np.array([LUCK, LUCK, LUCK + 0.5]))
    assert found.intervals == ((2, 3), (2, 3), (1, 1))
    assert found.letters == ("b", "b", "a")


def test_one_objective_alone():
    found = rank_objectives(np.array([[1.0, 2.0, 3.0]]))
    assert found.intervals == ((1, 1),)
    assert found.letters == ("a",)


def test_a_pair_is_compared_by_the_seeds_that_both_have():
    gap = np.nan
    scores = np.array(
        [
            [5.0, 6.1, 7.0, 8.2, gap],
            [gap, 1.0, 2.0, 3.0, 4.0],
            [4.9, 6.0, gap, gap, gap],
        ]
    )
    found = rank_objectives(scores)
    # One pair alone has three seeds in common, so it is not corrected.
    alone = float(paired_p_values(np.array([5.1, 5.0, 5.2])))
    assert found.p_values[0, 1] == found.p_values[1, 0] == pytest.approx(alone)
    assert found.p_values[0, 2] == found.p_values[1, 2] == 1.0
    assert found.order == (0, 2, 1)
    assert found.better.sum() == 1 and found.better[0, 1]
    # Nothing is known of the third: it may be first, last or between.
    assert found.intervals == ((1, 2), (2, 3), (1, 3))
    assert found.letters == ("a", "b", "ab")


def test_gaps_that_leave_no_pair_three_seeds_separate_nobody():
    scores = np.array([[9.0, 9.1, np.nan, np.nan], [1.0, 1.1, 1.2, 1.3]])
    found = rank_objectives(scores)
    assert found.p_values is None and found.intervals is None
    assert found.letters == ("a", "a")


@pytest.mark.parametrize(
    "scores", [np.empty((0, 3)), np.zeros(3), np.array([[1.0, 2.0], [np.nan, np.nan]])]
)
def test_scores_that_are_none_are_refused(scores):
    with pytest.raises(ValueError, match="finite scores"):
        rank_objectives(scores)


# -- invariants


@given(st.integers(1, 6), st.integers(3, 5), st.integers(0, 2**32 - 1))
def test_intervals_hold_the_rank_seen_and_letters_say_what_is_separable(count, runs, seed):
    generator = np.random.Generator(np.random.Philox(seed))
    scores = generator.normal(size=(count, 1)) * 3 + generator.normal(size=(count, runs))
    found = rank_objectives(scores)
    for rank, index in enumerate(found.order, start=1):
        low, high = found.intervals[index]
        assert low <= rank <= high
    for i, j in combinations(range(count), 2):
        share = bool(set(found.letters[i]) & set(found.letters[j]))
        assert share == (found.p_values[i, j] > 0.05)
        assert found.better[i, j] + found.better[j, i] == (not share)
    # What everybody shares, and the order of the rows, change nothing.
    again = rank_objectives((scores + generator.normal(size=runs))[::-1])
    assert again.intervals == found.intervals[::-1]


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.booleans()))))
def test_groups_are_largest_sets_that_show_every_pair_and_none_is_left_over(case):
    count, flags = case
    separable = np.zeros((count, count), dtype=bool)
    for (i, j), flag in zip(combinations(range(count), 2), flags, strict=False):
        separable[i, j] = separable[j, i] = flag
    sets = [
        frozenset(part)
        for size in range(1, count + 1)
        for part in combinations(range(count), size)
        if not any(separable[i, j] for i, j in combinations(part, 2))
    ]
    expected = {part for part in sets if not any(part < other for other in sets)}
    found = tied_groups(separable, tuple(range(count)))
    assert {frozenset(part) for part in found} <= expected
    assert list(found) == sorted(set(found))

    def shown(groups):
        return {pair for group in groups for pair in combinations_with_replacement(group, 2)}

    alike = {(i, j) for i in range(count) for j in range(i, count) if not separable[i, j]}
    assert shown(found) == alike
    for group in found:
        assert shown(other for other in found if other != group) != alike


def test_a_group_whose_pairs_are_all_in_others_has_no_letter():
    # 0, 1 and 2 are alike; and each two of them together with one more.
    others = [(0, 1, 3), (0, 2, 4), (1, 2, 5)]
    separable = ~np.eye(6, dtype=bool)
    for group in others:
        for i, j in combinations(group, 2):
            separable[i, j] = separable[j, i] = False
    assert list(tied_groups(separable, tuple(range(6)))) == others


def test_an_objective_between_two_others_has_both_letters():
    separable = np.zeros((3, 3), dtype=bool)
    separable[0, 2] = separable[2, 0] = True
    groups = tied_groups(separable, (2, 1, 0))
    assert groups == ((2, 1), (1, 0))
    assert group_letters(groups, 3) == ("b", "ab", "a")


def test_letters_do_not_run_out():
    groups = tuple((index,) for index in range(28))
    letters = group_letters(groups, 28)
    assert letters[25:] == ("z", "(27)", "(28)")


def test_past_fifteen_objectives_there_are_rank_intervals_alone():
    random = np.random.default_rng(2)
    levels = np.repeat([0.0, 50.0], [8, 8])[:, None]
    scores = levels + random.normal(0.0, 1.0, (16, 20))
    found = rank_objectives(scores)
    assert (found.groups, found.letters) == ((), ("",) * 16)
    # Those of the other half differ; within a half all ranks are open or narrower.
    assert all(9 <= low <= high <= 16 for low, high in found.intervals[:8])
    assert all(1 <= low <= high <= 8 for low, high in found.intervals[8:])
    fewer = rank_objectives(scores[1:])
    assert all(fewer.letters)
    assert fewer.groups


def test_all_rank_intervals_hold_at_once():
    """Four objectives, two of them equal, in 1,000 studies of four seeds."""
    truth = np.array([0.0, 1.0, 1.0, 6.0])
    # Two that are truly equal share rank 2; every other rank is its place.
    ranks = [1 + int((truth > value).sum()) for value in truth]
    generator = np.random.Generator(np.random.Philox(5))
    held = 0
    for _ in range(1000):
        noise = generator.normal(size=(4, 4)) + 5 * generator.normal(size=4)
        intervals = rank_objectives(truth[:, None] + noise).intervals
        held += all(low <= r <= high for (low, high), r in zip(intervals, ranks, strict=True))
    assert held >= 940


def test_one_is_compared_with_each_other_by_the_seeds_that_both_have():
    """Holm's steps over the pairs with it, by hand; pairs of two others change nothing."""
    draw = np.random.Generator(np.random.Philox(7)).normal
    scores = draw(size=(12, 6)) + np.linspace(0.0, 6.0, 12)[:, None]
    scores[4, :2], scores[5, :4] = np.nan, np.nan
    p_values = {}
    for row in range(12):
        pairs = [a - b for a, b in zip(scores[row], scores[2], strict=True) if np.isfinite(a)]
        if row != 2 and len(pairs) >= 3:
            p_values[row] = float(paired_p_values(np.array(pairs)))
    assert 4 in p_values and 5 not in p_values
    expected, left = set(), len(p_values)
    for row in sorted(p_values, key=p_values.get):
        if p_values[row] * left > 0.05:
            break
        expected.add(row)
        left -= 1
    assert 0 < len(expected) < len(p_values)
    assert set(np.flatnonzero(differ_from_one(scores, 2)).tolist()) == expected


def test_too_few_seeds_differ_from_nobody():
    assert not differ_from_one(np.array([[1.0, 2.0], [9.0, 9.5], [5.0, 5.5]]), 0).any()
