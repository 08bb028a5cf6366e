"""When a measured share breaks a bound: at once with many studies, beyond chance with few."""

from math import comb

import pytest

from objbench.judge.selftest.bounds import ENOUGH, is_above, is_below
from objbench.judge.selftest.held_scenarios import HELD
from objbench.judge.selftest.selftest import selftest


def chance_of_as_many(number, studies, share):
    """The chance of ``number`` or more, added up term by term."""
    total = 0.0
    for found in range(number, studies + 1):
        total += comb(studies, found) * share**found * (1 - share) ** (studies - found)
    return total


@pytest.mark.parametrize("studies", [60, 150])
@pytest.mark.parametrize("bound", [0.05, 0.98])
def test_with_few_studies_a_bound_is_broken_beyond_a_chance_of_one_in_a_thousand(studies, bound):
    for number in range(studies + 1):
        is_broken = number / studies > bound and chance_of_as_many(number, studies, bound) < 0.001
        assert is_above(number / studies, studies, bound) == is_broken
        # The lower bound is the upper one of what is left.
        assert is_below(1 - number / studies, studies, 1 - bound) == is_broken


def test_with_enough_studies_the_share_itself_is_compared():
    assert not is_above(200 / ENOUGH, ENOUGH, 0.05)
    assert is_above(201 / ENOUGH, ENOUGH, 0.05)
    assert not is_above(51 / 1000, 1000, 0.05)
    assert not is_below(3680 / ENOUGH, ENOUGH, 0.92)
    assert is_below(3679 / ENOUGH, ENOUGH, 0.92)


@pytest.mark.parametrize("seed", range(3))
def test_sixty_repetitions_do_not_call_the_judge_broken(seed):
    rates = selftest(60, (3, 5), seed, scenarios=HELD)
    # By chance, some shares are beyond what 4,000 repetitions would have to be within.
    strict = [row for row in rates.rows if row.faults(ENOUGH)]
    assert strict
    assert rates.faults == ()


def test_sixty_repetitions_are_enough_to_find_a_judge_that_is_badly_broken():
    # 15 of 60 false confirmations, or 40 of 60 intervals that cover the truth.
    assert is_above(15 / 60, 60, 0.05)
    assert is_below(40 / 60, 60, 0.92)
