"""How a score orders runs: against plain loops over every permutation, scipy, and by simulation."""

from itertools import combinations, permutations

import numpy as np
import pytest
from scipy.stats import kendalltau

from objbench.judge.statistics.ordering import order_of_learnt, order_within


def discordant(scores, losses):
    """The pairs in which the higher score has the higher loss, counted one by one."""
    return sum(
        (scores[i] - scores[j]) * (losses[i] - losses[j]) > 0
        for i, j in combinations(range(len(scores)), 2)
    )


def test_by_hand():
    # Three runs: a lower loss has the higher score in one pair of three.
    found = order_within([(np.array([3.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.2]))])
    assert found.value == pytest.approx((1 - 2) / 3)
    # Of the six orders three have two discordant pairs or more.
    assert found.p_against == pytest.approx(3 / 6)


@pytest.mark.parametrize("seed", range(4))
def test_one_group_is_kendalls_exact_test(seed):
    generator = np.random.default_rng(seed)
    scores, losses = generator.normal(size=(2, 7))
    found = order_within([(scores, losses)])
    theirs = kendalltau(scores, -losses, method="exact", alternative="less")
    assert found.value == pytest.approx(theirs.statistic)
    assert found.p_against == pytest.approx(theirs.pvalue)


def test_groups_are_permuted_within_themselves():
    generator = np.random.default_rng(5)
    groups = [tuple(generator.normal(size=(2, count))) for count in (4, 3, 1)]
    seen = sum(discordant(*group) for group in groups)
    counts = [
        discordant(np.array(one), first[1]) + discordant(np.array(two), second[1])
        for first, second in [groups[:2]]
        for one in permutations(first[0])
        for two in permutations(second[0])
    ]
    found = order_within(groups)
    assert found.p_against == pytest.approx(np.mean(np.array(counts) >= seen))
    assert found.value == pytest.approx((9 - 2 * seen) / 9)


def test_ties_are_no_evidence():
    tied = order_within([(np.ones(5), np.arange(5.0))])
    assert (tied.value, tied.p_against) == (0.0, pytest.approx(1.0))
    # The same score and the same loss, but for rounding, in an order that looks like evidence.
    nearly = 0.3 + np.arange(5) * 5.6e-17
    for scores, losses in ((nearly, np.arange(5.0)), (np.arange(5.0), nearly)):
        found = order_within([(scores, losses)])
        assert (found.value, found.p_against) == (0.0, pytest.approx(1.0))
    assert order_of_learnt(nearly[:2], nearly[2:]) == order_of_learnt(np.ones(2), np.ones(3))
    assert order_within([(np.ones(1), np.ones(1))]) is None
    assert order_within([]) is None


def test_the_auc_is_the_share_of_pairs():
    learnt, stuck = np.array([1.0, 4.0, 2.5]), np.array([2.0, 3.0, 5.0, 0.5])
    pairs = [(a > b) + 0.5 * (a == b) for a in learnt for b in stuck]
    assert order_of_learnt(learnt, stuck).value == pytest.approx(np.mean(pairs))
    # Six that learnt all below four that are stuck: one of 210 orders.
    found = order_of_learnt(np.arange(6.0), np.arange(6.0, 10.0))
    assert (found.value, found.p_against) == (0.0, pytest.approx(1 / 210))
    assert order_of_learnt(np.ones(3), np.ones(3)).p_against >= 0.5
    assert order_of_learnt(np.array([]), np.ones(3)) is None


def test_a_good_objective_at_a_higher_loss_is_not_a_bad_score():
    """What the order over all runs together would call insensitive in most studies."""
    generator = np.random.default_rng(13)
    together = within = 0
    studies = 2000
    for _ in range(studies):
        # The candidate is better by 4 points at a loss that is higher by 0.4 nats.
        scores = generator.normal(size=(2, 5)) + np.array([[0.0], [4.0]])
        losses = 0.1 * generator.normal(size=(2, 5)) + np.array([[0.0], [0.4]])
        within += order_within(list(zip(scores, losses, strict=True))).p_against < 0.05
        test = kendalltau(scores.ravel(), -losses.ravel(), alternative="less")
        together += test.pvalue < 0.05
    assert together / studies > 0.7
    assert within / studies < 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("slope", [-0.3, 0.0, 0.3])
def test_of_very_many_pairs_the_normal_distribution_is_as_good(monkeypatch, slope):
    generator = np.random.Generator(np.random.Philox(1))
    groups = [tuple(generator.normal(size=(2, 8))) for _ in range(10)]
    groups = [(scores, losses + slope * scores) for scores, losses in groups]
    exact = order_within(groups)
    monkeypatch.setattr("objbench.judge.statistics.ordering._MOST_EXACT_PAIRS", 279)
    found = order_within(groups)
    assert found.value == exact.value
    assert found.p_against != exact.p_against
    assert found.p_against == pytest.approx(exact.p_against, abs=1e-3)
