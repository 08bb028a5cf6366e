"""Whether an effect changes with scale: by loops, by hand, and how often a trend is found that is not."""

import math

import numpy as np
import pytest
from scipy.stats import sem, ttest_ind
from scipy.stats import t as student

from objbench.judge.statistics.contrast import contrast
from objbench.judge.statistics.trend import trend

SCALES = np.array([13.0, 13.6, 14.0, 15.2])
ESTIMATES = np.array([0.12, 0.05, 0.31, 0.20])
ERRORS = np.array([0.02, 0.05, 0.01, 0.08])
DEGREES = np.array([4.0, 2.0, 9.0, 4.0])


def by_loops(scales, estimates, errors, degrees):
    """Slope, error and degrees of freedom, written from the formula."""
    middle = sum(scales) / len(scales)
    square = sum((scale - middle) ** 2 for scale in scales)
    slope, variance, below = 0.0, 0.0, 0.0
    for scale, estimate, error, freedom in zip(scales, estimates, errors, degrees, strict=True):
        weight = (scale - middle) / square
        slope += weight * estimate
        variance += (weight * error) ** 2
        below += (weight * error) ** 4 / freedom
    return slope, math.sqrt(variance), variance**2 / below


def test_against_loops_and_numpys_least_squares():
    found = trend(SCALES, ESTIMATES, ERRORS, DEGREES)
    slope, error, freedom = by_loops(SCALES, ESTIMATES, ERRORS, DEGREES)
    assert found.value == pytest.approx(slope)
    assert found.value == pytest.approx(np.polyfit(SCALES, ESTIMATES, 1)[0])
    assert found.degrees == pytest.approx(freedom)
    half = student.ppf(0.975, freedom) * error
    assert (found.low, found.high) == pytest.approx((slope - half, slope + half))
    assert found.p_value == pytest.approx(2 * student.sf(abs(slope) / error, freedom))


def test_of_three_rungs_it_is_welchs_test_of_the_outer_two():
    # The middle one has the weight 0: (0.5 - 0.1) / 2 with the error sqrt(0.03^2 + 0.04^2) / 2.
    found = trend(
        np.array([1.0, 2.0, 3.0]),
        np.array([0.1, 0.9, 0.5]),
        np.array([0.03, 7.0, 0.04]),
        np.array([4.0, 1.0, 4.0]),
    )
    assert found.value == pytest.approx(0.2)
    freedom = (0.03**2 + 0.04**2) ** 2 / (0.03**4 / 4 + 0.04**4 / 4)
    assert found.degrees == pytest.approx(freedom)
    assert found.high - found.value == pytest.approx(student.ppf(0.975, freedom) * 0.025)


def test_two_studies_are_welchs_t_test():
    generator = np.random.default_rng(3)
    one, other = generator.normal(0.3, 1.0, 5), generator.normal(0.0, 0.2, 3)
    found = contrast(
        np.array([1.0, -1.0]),
        np.array([one.mean(), other.mean()]),
        np.array([sem(one), sem(other)]),
        np.array([4.0, 2.0]),
    )
    wanted = ttest_ind(one, other, equal_var=False)
    assert found.value == pytest.approx(one.mean() - other.mean())
    assert found.p_value == pytest.approx(wanted.pvalue)
    low, high = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_a_contrast_without_weights_is_refused():
    with pytest.raises(ValueError, match="weight that is not 0"):
        contrast(np.zeros(2), np.ones(2), np.ones(2), np.ones(2))


def test_another_unit_of_scale_or_effect_changes_only_the_unit():
    found = trend(SCALES, ESTIMATES, ERRORS, DEGREES)
    other = trend(2 * SCALES - 7, 3 * ESTIMATES + 5, 3 * ERRORS, DEGREES)
    assert other.p_value == pytest.approx(found.p_value)
    assert (other.value, other.low) == pytest.approx((1.5 * found.value, 1.5 * found.low))


def test_the_interval_excludes_0_where_the_test_rejects():
    for level in (0.5, 0.95, 0.999):
        found = trend(SCALES, ESTIMATES, ERRORS, DEGREES, level)
        assert (found.low > 0 or found.high < 0) == (found.p_value < 1 - level)


def test_seeds_that_do_not_vary():
    none = np.zeros(3)
    scales, degrees = np.array([1.0, 2.0, 3.0]), np.full(3, 4.0)
    flat = trend(scales, np.full(3, 0.1), none, degrees)
    assert (flat.value, flat.low, flat.high, flat.p_value) == (0.0, 0.0, 0.0, 1.0)
    rising = trend(scales, np.array([0.1, 0.2, 0.3]), none, degrees)
    assert (rising.low, rising.p_value) == (rising.value, 0.0)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("noise", [(1.0, 1.0, 1.0), (1.0, 0.5, 0.25)])
def test_a_trend_that_is_not_there_is_found_at_most_at_the_level(seeds, noise):
    generator = np.random.default_rng(14)
    scales, degrees, found = np.array([13.0, 14.0, 15.0]), np.full(3, seeds - 1.0), 0
    for _ in range(2000):
        own = generator.standard_normal((3, seeds)) * np.array(noise)[:, None]
        errors = own.std(axis=1, ddof=1) / math.sqrt(seeds)
        found += trend(scales, own.mean(axis=1), errors, degrees).p_value < 0.05
    # 5.6% and three standard errors of 2,000 draws.
    assert found / 2000 < 0.056 + 0.016


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": np.array([1.0, 1.0, 2.0])}, "3 different scales"),
        ({"estimates": np.array([1.0, np.nan, 2.0])}, "finite"),
        ({"errors": np.array([1.0, -1.0, 1.0])}, "negative"),
        ({"degrees": np.array([1.0, 0.0, 1.0])}, "degree of freedom"),
    ],
)
def test_what_is_no_trend_is_refused(change, message):
    values = {
        "scales": np.array([1.0, 2.0, 3.0]),
        "estimates": np.zeros(3),
        "errors": np.ones(3),
        "degrees": np.ones(3),
    }
    with pytest.raises(ValueError, match=message):
        trend(**(values | change))
