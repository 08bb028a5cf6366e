"""The bootstrap interval: what is drawn together, its width by hand, and what it refuses."""

import itertools
import math

import numpy as np
import pytest

from objbench.judge.statistics.bootstrap import bootstrap_interval
from objbench.judge.statistics.estimate import t_interval


def _generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def _mean(drawn):
    return drawn.mean(axis=tuple(range(1, drawn.ndim)))


def test_of_a_mean_it_is_the_t_interval():
    values = np.array([60.0, 62.0, 67.0, 63.5])
    mean, half = t_interval(values)
    found = bootstrap_interval(_mean, values, _generator(), draws=200_000)
    assert found == pytest.approx((mean - half, mean + half), rel=1e-3)


def test_the_width_is_that_of_all_draws():
    values = np.array([60.0, 62.0, 67.0])
    means = [np.mean(draw) for draw in itertools.product(values, repeat=3)]
    # t(2, 0.975) = 4.302653, from a printed table.
    half = 4.302653 * math.sqrt(3 / 2) * np.std(means)
    low, high = bootstrap_interval(_mean, values, _generator(), draws=200_000)
    assert (high - low) / 2 == pytest.approx(half, rel=0.01)
    assert (low + high) / 2 == pytest.approx(63.0)


def test_all_tasks_of_a_run_move_together():
    """Values that name their own seed: one drawn row holds one seed."""
    values = np.repeat(np.arange(4.0)[:, None], 3, axis=1)

    def check(drawn):
        assert (drawn == drawn[..., :1]).all()
        return _mean(drawn)

    assert bootstrap_interval(check, values, _generator(), draws=100) is not None


def test_every_seed_is_drawn_equally_often():
    shares = []

    def count(drawn):
        shares.append(np.bincount(drawn.astype(int).ravel(), minlength=5) / drawn.size)
        return _mean(drawn)

    bootstrap_interval(count, np.arange(5.0), _generator(), draws=20_000)
    assert shares[0] == pytest.approx(1 / 5, abs=0.01)


def test_the_same_generator_gives_the_same_interval_and_another_does_not():
    values = np.array([60.0, 62.0, 67.0])
    first, again, other = (bootstrap_interval(_mean, values, _generator(s), 50) for s in (7, 7, 8))
    assert first == again != other


def test_no_interval_below_three_seeds():
    assert bootstrap_interval(_mean, np.arange(2.0), _generator()) is None


@pytest.mark.parametrize("values", [np.empty((0, 2)), np.array([1.0, np.nan, 2.0])])
def test_values_that_cannot_be_drawn_are_refused(values):
    with pytest.raises(ValueError, match="finite"):
        bootstrap_interval(_mean, values, _generator())


def test_a_statistic_that_pools_the_draws_is_refused():
    with pytest.raises(ValueError, match="the statistic of 10 draws"):
        bootstrap_interval(lambda drawn: drawn.mean(axis=0), np.zeros(3), _generator(), 10)
