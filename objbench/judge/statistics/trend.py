"""Does an effect change with scale? A straight line through a few studies' independent estimates.

The slope is that of least squares, b = sum_k c_k y_k with
c_k = (x_k - mean x) / sum_j (x_j - mean x)^2: a contrast (see ``contrast``), whose error comes from
the studies' own seeds.

All studies weigh the same. Weights of 1 / e_k^2, with a normal test, take errors from a handful of
seeds for the true ones. In 20,000 simulations without a trend, of 3 studies whose noise is the same
or halves from each to the next, they find one at the 5% level in 17% to 22% at 3 seeds each and in
11% to 13% at 5; the contrast in 3.6% to 5.6% and in 4.4% to 5.3%.

Nothing is said of scales outside those that were measured.

Shape legend: K studies.
"""

from __future__ import annotations

import numpy as np

from objbench.judge.statistics.contrast import Contrast, contrast
from objbench.judge.statistics.estimate import LEVEL, FloatArray

MIN_RUNGS = 3
"""Different scales below which there is no trend: a line always goes through two."""


def trend(
    scales: FloatArray,
    estimates: FloatArray,
    errors: FloatArray,
    degrees: FloatArray,
    level: float = LEVEL,
) -> Contrast:
    """The slope of the least-squares line through independent estimates, with its t-interval.

    Args:
        scales: (K,) float64, such as log10 of FLOPs; at least ``MIN_RUNGS`` different ones.
        estimates, errors, degrees: (K,) float64, as in ``contrast``.
        level: coverage, in (0, 1).

    Returns:
        The slope, the change of the effect per unit of scale.

    Raises:
        ValueError: as ``contrast``, and for fewer than ``MIN_RUNGS`` different scales.

    Example:
        >>> import numpy as np
        >>> found = trend(np.array([13.0, 14.0, 15.0]), np.array([0.1, 0.2, 0.3]),
        ...     np.array([0.01, 0.01, 0.01]), np.array([4.0, 4.0, 4.0]))
        >>> print(f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]")
        0.100 [0.084, 0.116]
    """
    if not np.isfinite(scales).all() or np.unique(scales).size < MIN_RUNGS:
        raise ValueError(f"a trend needs {MIN_RUNGS} different scales, each a finite number")
    distances = scales - scales.mean()
    return contrast(distances / (distances**2).sum(), estimates, errors, degrees, level)
