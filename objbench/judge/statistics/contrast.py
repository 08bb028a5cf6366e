"""A contrast of independent means of unequal variances: a difference of two studies, or a slope.

The estimate is sum_k c_k y_k over studies that each give y_k with a standard error e_k from their own
few seeds. Its error is sqrt(sum_k c_k^2 e_k^2) and its interval a t-interval with the degrees of
freedom of Welch (1947, "The generalization of Student's problem when several different population
variances are involved") and Satterthwaite (1946): (sum_k v_k)^2 / sum_k (v_k^2 / nu_k) with
v_k = c_k^2 e_k^2. Of two studies with the weights 1 and -1 it is Welch's t-test.

Seeds are the only source of error: what else differs between the studies, such as tuned settings, is
part of the contrast.

Shape legend: K studies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from objbench.judge.statistics.estimate import LEVEL, FloatArray
from objbench.judge.statistics.ties import SAME_SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """A contrast with its interval.

    Attributes:
        value: sum of the weighted estimates.
        low, high: ends of its interval.
        p_value: two-sided, that it is 0.
        degrees: degrees of freedom of the t-distribution.
    """

    value: float
    low: float
    high: float
    p_value: float
    degrees: float


def contrast(
    weights: FloatArray,
    estimates: FloatArray,
    errors: FloatArray,
    degrees: FloatArray,
    level: float = LEVEL,
) -> Contrast:
    """The contrast with these weights, with its t-interval.

    Args:
        weights: (K,) float64, not all 0.
        estimates: (K,) float64, independent of each other.
        errors: (K,) float64, the standard error of each, at least 0.
        degrees: (K,) float64, degrees of freedom of each error: seeds - 1.
        level: coverage, in (0, 1).

    Raises:
        ValueError: a value is missing, all weights are 0, an error is negative, or it has no degree
            of freedom.

    Example:
        >>> import numpy as np
        >>> found = contrast(np.array([1.0, -1.0]), np.array([0.5, 0.1]), np.array([0.03, 0.04]),
        ...     np.array([4.0, 4.0]))
        >>> print(f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}], {found.degrees:.1f}")
        0.40 [0.28, 0.52], 7.4
    """
    values = np.stack([weights, estimates, errors, degrees])
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("a contrast needs rows of finite numbers, one value per study")
    if (errors < 0).any() or (degrees < 1).any():
        raise ValueError("an error cannot be negative, and needs a degree of freedom")
    if not weights.any():
        raise ValueError("a contrast needs a weight that is not 0")
    parts = weights * estimates
    value = float(parts.sum())
    if abs(value) <= SAME_SCORE * float(np.abs(parts).max()):
        value = 0.0
    variances = (weights * errors) ** 2
    total = float(variances.sum())
    if total == 0.0:
        # Seeds that do not vary at all: right if so, as in ``multiple_tests.paired_p_values``.
        return Contrast(
            value=value,
            low=value,
            high=value,
            p_value=float(value == 0.0),
            degrees=float(degrees.sum()),
        )
    # By shares, whose squares cannot vanish.
    shares = variances / total
    freedom = 1.0 / float((shares**2 / degrees).sum())
    error = math.sqrt(total)
    half = float(stdtrit(freedom, (1.0 + level) / 2.0)) * error
    return Contrast(
        value=value,
        low=value - half,
        high=value + half,
        p_value=2.0 * float(stdtr(freedom, -abs(value) / error)),
        degrees=freedom,
    )
