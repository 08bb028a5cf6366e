"""The percentile bootstrap over seeds, which the judge does not use, measured for comparison.

Resample the S seeds with replacement, take the mean (or where the mean curve first reaches the
target), and cut off 2.5% at each end. With few seeds this is too narrow: the resampled spread
is short by (S - 1) / S, and it uses a normal quantile where a t quantile belongs (Hesterberg 2015,
section 4).

Shape legend: R studies, S pretraining seeds, K points, W resamplings.
"""

from __future__ import annotations

import numpy as np

from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.target_crossing import first_zero

RESAMPLINGS = 1000
# Studies at a time: W * K numbers for each.
_CHUNK = 100


def resampling_weights(seeds: int, generator: np.random.Generator) -> FloatArray:
    """How often each seed is drawn, as shares: (W, S) float64."""
    return generator.multinomial(seeds, [1.0 / seeds] * seeds, size=RESAMPLINGS) / seeds


def percentile_of_means(differences: FloatArray, weights: FloatArray) -> FloatArray:
    """The interval of the mean difference: (2, R) from (R, S) differences."""
    return _ends(differences @ weights.T)


def percentile_of_crossings(gaps: FloatArray, spend: FloatArray, weights: FloatArray) -> FloatArray:
    """The interval of the spend at the target: (2, R) from (R, S, K) gaps; codes as ``target_crossing``."""
    chunks = (gaps[start : start + _CHUNK] for start in range(0, len(gaps), _CHUNK))
    found = [_ends(first_zero(np.einsum("ws,rsk->rwk", weights, chunk), spend)) for chunk in chunks]
    return np.concatenate(found, axis=1)


def _ends(resampled: FloatArray) -> FloatArray:
    """2.5% and 97.5% of (R, W); a value that occurs, since a bound cannot be averaged."""
    found: FloatArray = np.quantile(resampled, [0.025, 0.975], axis=1, method="inverted_cdf")
    return found
