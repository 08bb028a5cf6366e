"""Resampling: what is drawn together, what is not, and the variance worked out by hand."""

import itertools
import math

import numpy as np
import pytest

from objbench.judge.statistics import bootstrap as module
from objbench.judge.statistics.bootstrap import bootstrap, nested_indices, resample
from objbench.judge.statistics.bootstrap_intervals import (
    expanded_interval,
    expanded_share,
    percentile_interval,
    standard_error_interval,
)
from objbench.judge.statistics.estimate import t_interval


def _generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def _mean(scores):
    return scores.mean(axis=(1, 2, 3))


# -- what is drawn


def test_every_seed_is_drawn_equally_often_and_nothing_else():
    runs, tries = nested_indices(_generator(), 3, (4, 2, 4), 20_000)
    assert runs.shape == (20_000, 3) and set(tries) == {2, 4}
    assert tries[4].shape == (20_000, 3, 4) and tries[2].shape == (20_000, 3, 2)
    for found, count in [(runs, 3), (tries[2], 2), (tries[4], 4)]:
        shares = np.bincount(found.ravel(), minlength=count) / found.size
        assert len(shares) == count
        assert shares == pytest.approx(1 / count, abs=0.01)


def test_one_seed_drawn_twice_has_fine_tuning_drawn_anew():
    runs, tries = nested_indices(_generator(), 2, (8,), 200)
    twice = runs[:, 0] == runs[:, 1]
    assert 0 < twice.sum() < 200
    assert (tries[8][twice, 0] != tries[8][twice, 1]).any(axis=1).mean() > 0.99


def test_resampling_against_plain_loops():
    generator = _generator(1)
    scores = generator.normal(size=(4, 3, 5))
    runs, tries = nested_indices(generator, 4, (5,), 7)
    expected = np.empty((7, 4, 3, 5))
    for n, s, t, f in itertools.product(range(7), range(4), range(3), range(5)):
        expected[n, s, t, f] = scores[runs[n, s], t, tries[5][n, s, f]]
    np.testing.assert_array_equal(resample(scores, runs, tries[5]), expected)
    np.testing.assert_array_equal(resample(scores, runs, None)[3], scores[runs[3]])


def test_all_tasks_of_a_run_move_together():
    """A score that names its own place: one drawn place has one seed and one try in every task."""
    seed, task, attempt = np.meshgrid(range(4), range(3), range(5), indexing="ij")
    scores = (100 * seed + 10 * attempt + task).astype(np.float64)

    def check(drawn):
        place = drawn - np.arange(3)[:, None]
        assert (place == place[:, :, :1]).all()
        assert (place // 100 == place[..., :1] // 100).all()
        return _mean(drawn)

    assert np.std(bootstrap(check, [scores], _generator(), 50)) > 0


def test_objectives_are_drawn_at_the_same_seeds():
    """Luck that two objectives share, of either kind of seed, leaves their difference."""
    luck = _generator(2).normal(size=(5, 2, 3))
    difference = bootstrap(
        lambda candidate, baseline: _mean(candidate) - _mean(baseline),
        [luck + 0.25, luck],
        _generator(),
        500,
    )
    assert difference == pytest.approx(0.25)
    alone = bootstrap(_mean, [luck], _generator(), 500)
    assert np.std(alone) > 0.05


def test_unequal_fine_tuning_seeds_still_share_their_pretraining_seeds():
    run = _generator(3).normal(size=(5, 1, 1))
    draws = bootstrap(
        lambda first, second: _mean(first) - _mean(second),
        [np.repeat(run, 2, axis=2), np.repeat(run, 3, axis=2)],
        _generator(),
        100,
    )
    assert draws == pytest.approx(0.0, abs=1e-12)


def test_the_draws_do_not_depend_on_the_chunks(monkeypatch):
    scores = _generator(4).normal(size=(3, 2, 2))
    whole = bootstrap(_mean, [scores], _generator(), 101)
    sizes = []

    def watched(drawn):
        sizes.append(len(drawn))
        return _mean(drawn)

    monkeypatch.setattr(module, "CHUNK_VALUES", 10 * scores.size)
    parts = bootstrap(watched, [scores], _generator(), 101)
    assert max(sizes) == 10 and sum(sizes) == 101
    np.testing.assert_array_equal(whole, parts)


def test_the_same_generator_draws_the_same_and_another_does_not():
    scores = _generator(4).normal(size=(3, 2, 2))
    first, again, other = (bootstrap(_mean, [scores], _generator(s), 50) for s in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_statistic_may_return_a_row_a_draw():
    scores = _generator(4).normal(size=(3, 2, 2))
    assert bootstrap(lambda x: x.mean(axis=(1, 3)), [scores], _generator(), 20).shape == (20, 2)


# -- the variance of the draws, in closed form


@pytest.mark.parametrize("within", [True, False])
def test_the_variance_of_a_drawn_mean(within):
    scores = _generator(5).normal(size=(4, 1, 3))
    means = scores.mean(axis=(1, 2))
    expected = np.var(means) / 4  # n, not n - 1: (S - 1) / S of the unbiased one
    if within:
        expected += np.var(scores[:, 0], axis=1).mean() / 3 / 4
    draws = bootstrap(_mean, [scores], _generator(6), 60_000, within=within)
    assert np.var(draws) == pytest.approx(expected, rel=0.03)
    assert draws.mean() == pytest.approx(scores.mean(), abs=0.01)


# -- intervals


def test_the_percentile_interval_by_hand():
    low, high = percentile_interval(np.arange(101.0), level=0.9)
    assert (low, high) == (pytest.approx(5.0), pytest.approx(95.0))
    both = percentile_interval(np.stack([np.arange(101.0), -np.arange(101.0)], axis=1), level=0.9)
    np.testing.assert_allclose(both, [[5.0, -95.0], [95.0, -5.0]])


@pytest.mark.parametrize(
    ("runs", "share"),
    # t(4, 0.975) = 2.776445 and sqrt(5/4) give 3.104160; t(9, 0.975) = 2.262157 and sqrt(10/9)
    # give 2.384522; the normal's tails beyond them.
    [(5, 0.5 * math.erfc(3.104160 / math.sqrt(2))), (10, 0.5 * math.erfc(2.384522 / math.sqrt(2)))],
)
def test_the_expanded_share_by_hand(runs, share):
    assert expanded_share(runs) == pytest.approx(share, rel=1e-4)


def test_the_expanded_share_is_the_plain_one_for_many_runs():
    assert expanded_share(100_000) == pytest.approx(0.025, rel=1e-3)
    assert expanded_share(3) < 1e-6


def test_the_expanded_interval_of_normal_draws_is_the_t_interval():
    """What the expansion is made for: draws with the bootstrap's too small, normal spread."""
    runs, deviation = 8, 2.0
    spread = deviation * math.sqrt((runs - 1) / runs) / math.sqrt(runs)
    draws = spread * _generator(8).normal(size=400_000)
    values = np.linspace(-1, 1, runs)
    half = t_interval(values / values.std(ddof=1) * deviation)[1]
    np.testing.assert_allclose(expanded_interval(draws, runs), [-half, half], rtol=0.02)


def test_three_seeds_bound_the_percentile_interval_and_not_the_t():
    values = np.array([60.0, 62.0, 67.0])
    draws = np.array([np.mean(d) for d in itertools.product(values, repeat=3)])
    # All 27 draws: the expanded quantiles are the smallest and the largest value.
    np.testing.assert_allclose(expanded_interval(draws, 3), [60.0, 67.0], atol=1e-4)
    half = t_interval(values)[1]
    found = standard_error_interval(63.0, draws, 3)
    np.testing.assert_allclose(found, [63.0 - half, 63.0 + half])


def test_no_interval_below_three_runs():
    assert expanded_interval(np.arange(9.0), 2) is None
    assert standard_error_interval(1.0, np.arange(9.0), 2) is None


# -- rejected


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "seeds x tasks"),
        ([np.zeros((3, 2))], "seeds x tasks"),
        ([np.zeros((3, 2, 0))], "seeds x tasks"),
        ([np.full((3, 2, 1), np.nan)], "finite"),
        ([np.zeros((3, 2, 1)), np.zeros((4, 2, 1))], "not paired"),
    ],
)
def test_scores_that_cannot_be_drawn_are_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(_mean, arrays, _generator(), 10)


def test_a_statistic_that_pools_the_draws_is_refused():
    with pytest.raises(ValueError, match="the statistic of 10 draws"):
        bootstrap(lambda x: x.mean(axis=0), [np.zeros((3, 2, 1))], _generator(), 10)


@pytest.mark.parametrize(("seeds", "finetune", "draws"), [(0, (1,), 1), (1, (), 1), (1, (1,), 0)])
def test_drawing_nothing_is_refused(seeds, finetune, draws):
    with pytest.raises(ValueError, match="nothing to draw"):
        nested_indices(_generator(), seeds, finetune, draws)


@pytest.mark.parametrize("draws", [np.empty(0), np.array([1.0, np.nan])])
def test_an_interval_of_missing_draws_is_refused(draws):
    with pytest.raises(ValueError, match="finite"):
        percentile_interval(draws)
    with pytest.raises(ValueError, match="finite"):
        standard_error_interval(0.0, draws, 5)
    with pytest.raises(ValueError, match="no expanded quantile"):
        expanded_share(1)
