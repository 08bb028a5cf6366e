"""Does an effect change with scale? A straight line through a few studies' independent estimates.

Each study gives an estimate with its standard error from its own few seeds. The slope is that of
least squares, b = sum_k c_k y_k with c_k = (x_k - mean x) / sum_j (x_j - mean x)^2: a contrast of
independent means of unequal variances, so its error is sqrt(sum_k c_k^2 e_k^2) and its interval a
t-interval with the degrees of freedom of Welch (1947, "The generalization of Student's problem when
several different population variances are involved") and Satterthwaite (1946):
(sum_k v_k)^2 / sum_k (v_k^2 / nu_k) with v_k = c_k^2 e_k^2.

All studies weigh the same. Weights of 1 / e_k^2, with a normal test, take errors from a handful of
seeds for the true ones. In 20,000 simulations without a trend, of 3 studies whose noise is the same
or halves from each to the next, they find one at the 5% level in 17% to 22% at 3 seeds each and in
11% to 13% at 5; the contrast in 3.6% to 5.6% and in 4.4% to 5.3%.

Seeds are the only source of error: what else differs between the studies, such as tuned settings, is
part of the slope. Nothing is said of scales outside those that were measured.

Shape legend: K studies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from objbench.judge.statistics.estimate import LEVEL, FloatArray
from objbench.judge.statistics.ties import SAME_SCORE

MIN_RUNGS = 3
"""Different scales below which there is no trend: a line always goes through two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The slope of an effect over scale.

    Attributes:
        slope: change of the effect per unit of scale.
        low, high: ends of its interval.
        p_value: two-sided, that the slope is 0.
        degrees: degrees of freedom of the t-distribution.
    """

    slope: float
    low: float
    high: float
    p_value: float
    degrees: float


def trend(
    scales: FloatArray,
    estimates: FloatArray,
    errors: FloatArray,
    degrees: FloatArray,
    level: float = LEVEL,
) -> Trend:
    """The slope of the least-squares line through independent estimates, with its t-interval.

    Args:
        scales: (K,) float64, such as log10 of FLOPs; at least ``MIN_RUNGS`` different ones.
        estimates: (K,) float64.
        errors: (K,) float64, the standard error of each, at least 0.
        degrees: (K,) float64, degrees of freedom of each error: seeds - 1.
        level: coverage, in (0, 1).

    Raises:
        ValueError: a value is missing, there are fewer than ``MIN_RUNGS`` different scales, an error
            is negative, or it has no degree of freedom.

    Example:
        >>> import numpy as np
        >>> found = trend(np.array([13.0, 14.0, 15.0]), np.array([0.1, 0.2, 0.3]),
        ...     np.array([0.01, 0.01, 0.01]), np.array([4.0, 4.0, 4.0]))
        >>> print(f"{found.slope:.3f} [{found.low:.3f}, {found.high:.3f}]")
        0.100 [0.084, 0.116]
    """
    values = np.stack([scales, estimates, errors, degrees])
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("a trend needs rows of finite numbers, one value per study")
    if (errors < 0).any() or (degrees < 1).any():
        raise ValueError("an error cannot be negative, and needs a degree of freedom")
    if np.unique(scales).size < MIN_RUNGS:
        raise ValueError(f"a trend needs {MIN_RUNGS} different scales")
    distances = scales - scales.mean()
    weights = distances / (distances**2).sum()
    slope = float((weights * estimates).sum())
    if abs(slope) <= SAME_SCORE * float((np.abs(weights * estimates)).max()):
        slope = 0.0
    variances = (weights * errors) ** 2
    total = float(variances.sum())
    if total == 0.0:
        # Seeds that do not vary at all: right if so, as in ``multiple_tests.paired_p_values``.
        return Trend(
            slope=slope,
            low=slope,
            high=slope,
            p_value=float(slope == 0.0),
            degrees=float(degrees.sum()),
        )
    freedom = total**2 / float((variances**2 / degrees).sum())
    error = math.sqrt(total)
    half = float(stdtrit(freedom, (1.0 + level) / 2.0)) * error
    return Trend(
        slope=slope,
        low=slope - half,
        high=slope + half,
        p_value=2.0 * float(stdtr(freedom, -abs(slope) / error)),
        degrees=freedom,
    )
