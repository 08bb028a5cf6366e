"""Curves over seeds: isotonic regression against its definition, interpolation, rejected input."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objbench.judge.statistics.seed_curves import SeedCurves, isotonic, pooled


def best_rising(values):
    """Least squares over every way to cut the row into blocks whose means rise."""
    best, cost = None, np.inf
    size = len(values)
    for cuts in itertools.product([False, True], repeat=size - 1):
        labels = np.cumsum([0, *cuts])
        fitted = np.array([values[labels == label].mean() for label in labels])
        error = float(np.sum((values - fitted) ** 2))
        if np.all(np.diff(fitted) >= 0) and error < cost:
            best, cost = fitted, error
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-50, 50).map(lambda value: round(value, 3)), min_size=1, max_size=7))
def test_isotonic_is_the_best_of_all_rising_rows(values):
    values = np.array(values)
    np.testing.assert_allclose(isotonic(values), best_rising(values), atol=1e-9)


def test_isotonic_by_hand():
    # 5, 3 pool to 4; then 4, 4, 1 pool to 3; the last stays.
    assert isotonic(np.array([5.0, 3.0, 1.0, 9.0])).tolist() == [3.0, 3.0, 3.0, 9.0]


def test_isotonic_of_many_rows_is_that_of_each():
    rows = np.random.default_rng(0).normal(70.0, 2.0, (2, 5, 9))
    found = isotonic(rows)
    assert np.all(np.diff(found) >= 0)
    for index in np.ndindex(2, 5):
        np.testing.assert_array_equal(found[index], isotonic(rows[index]))


def test_a_rising_row_is_left_to_the_last_digit():
    values = np.cumsum(np.random.default_rng(1).random(30)) + 0.1
    np.testing.assert_array_equal(isotonic(values), values)


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_isotonic_rejects(values):
    with pytest.raises(ValueError, match="isotonic"):
        isotonic(np.array(values))


def test_at_all_is_at_for_each_spend():
    curves = SeedCurves(np.array([[10.0, 20.0], [12.0, 22.0]]), np.array([[1.0, 3.0], [5.0, 10.0]]))
    spends = np.array([12.0, 17.0, 20.0])
    found = curves.at_all(spends)
    assert found.shape == (2, 3)
    assert found.T.tolist() == [curves.at(spend).tolist() for spend in spends]
    with pytest.raises(ValueError, match="spend 21 is outside"):
        curves.at_all(np.array([15.0, 21.0]))


def test_pooling_keeps_seeds_apart_and_makes_the_mean_rise():
    curves = SeedCurves(
        np.tile([1.0, 2.0, 3.0], (2, 1)), np.array([[1.0, 6.0, 2.0], [3.0, 4.0, 4.0]])
    )
    # The mean 2, 5, 3 falls at the end: points 2 and 3 are averaged within each seed.
    found = pooled(curves)
    assert found.scores.tolist() == [[1.0, 4.0, 4.0], [3.0, 4.0, 4.0]]
    np.testing.assert_array_equal(found.scores.mean(axis=0), isotonic(curves.scores.mean(axis=0)))


def test_at_is_straight_between_points_and_never_beyond():
    curves = SeedCurves(np.array([[10.0, 20.0], [12.0, 22.0]]), np.array([[1.0, 3.0], [5.0, 10.0]]))
    assert curves.at(17.0).tolist() == [pytest.approx(2.4), pytest.approx(7.5)]
    assert (curves.first, curves.last, curves.seeds) == (12.0, 20.0, 2)
    assert curves.shared_points().tolist() == [12.0, 20.0]
    for spend in (11.0, 21.0):
        with pytest.raises(ValueError, match="outside the measured 12-20"):
            curves.at(spend)


def test_points_that_differ_by_rounding_are_one():
    spend = np.array([[1.0, 2.0, 3.0], [1.0, 2.0 + 1e-12, 3.0]])
    assert SeedCurves(spend, spend).shared_points().size == 3


@pytest.mark.parametrize(
    ("spend", "scores", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "one shape"),
        ([[1.0, 2.0]], [[1.0]], "one shape"),
        ([[]], [[]], "one shape"),
        ([[1.0, 2.0]], [[1.0, np.nan]], "finite"),
        ([[1.0, np.inf]], [[1.0, 2.0]], "finite"),
        ([[0.0, 1.0]], [[1.0, 2.0]], "positive and rise"),
        ([[2.0, 2.0]], [[1.0, 2.0]], "positive and rise"),
    ],
)
def test_curves_reject(spend, scores, message):
    with pytest.raises(ValueError, match=message):
        SeedCurves(np.array(spend), np.array(scores))


def test_seeds_that_share_no_spend_are_rejected():
    curves = SeedCurves(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="share no range"):
        curves.shared_points()
