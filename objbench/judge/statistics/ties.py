"""Ties: two scores whose difference is rounding are the same score.

The same numbers summed in another order differ in their last digits. Taken for a difference, that
is one which does not vary from seed to seed: it has p = 0, wins at every seed, is a rank better,
and a curve that ends exactly on its target never reaches it. So every subtraction of scores from
which a test, a sign, a rank or a crossing follows is made here.

A sum of n doubles is off by at most about n * 1.1e-16 of the sum of their sizes (Higham 2002,
"Accuracy and Stability of Numerical Algorithms", section 4.2): 1e-12 for ten thousand of them.
``SAME_SCORE`` is far above that, and far below what an experiment can show: one example of a
million is 1e-6, and a loss measured in float32 has 6e-8 of rounding of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

SAME_SCORE = 1e-9
"""Scores that differ by at most this share of the larger one are the same."""


def difference(candidate: FloatArray, baseline: FloatArray, axis: int = -1) -> FloatArray:
    """Candidate minus baseline, exactly 0 where the two are the same but for rounding.

    What counts as rounding is measured against the largest score along ``axis``, so that a score
    which is itself a remainder of rounding, such as 0.3 - 0.2 - 0.1, is the same as 0.

    Args:
        candidate, baseline: float64 of shapes that broadcast; NaN where missing.
        axis: of the pretraining seeds.

    Returns:
        float64; NaN where either is missing.

    Example:
        >>> difference(np.array([0.1 + 0.2, 0.5]), np.array([0.3, 0.4])).round(3).tolist()
        [0.0, 0.1]
    """
    sizes = np.maximum(np.abs(candidate), np.abs(baseline))
    return without_rounding(candidate - baseline, _largest(sizes, axis))


def without_rounding(values: FloatArray, scale: FloatArray | float) -> FloatArray:
    """``values``, exactly 0 where they are at most ``SAME_SCORE`` of ``scale``.

    For what was added up from numbers of the size ``scale`` and should cancel, such as the mean
    of the differences 0.1, 0.2 and -0.3.
    """
    return np.where(np.abs(values) <= SAME_SCORE * np.asarray(scale), 0.0, values)


def mean_without_rounding(values: FloatArray, axis: int = -1) -> FloatArray:
    """The mean along ``axis``, exactly 0 where the values cancel but for rounding."""
    largest = np.squeeze(_largest(np.abs(values), axis), axis)
    return without_rounding(np.mean(values, axis=axis), largest)


def leveled(values: FloatArray) -> FloatArray:
    """``values`` with those that are the same but for rounding made exactly equal.

    Going up through the values, one that is the same as the one before takes its value, so that
    sorting, counting and pooling see a tie as a tie.

    Args:
        values: (N,) float64, none missing.

    Example:
        >>> leveled(np.array([0.3, 0.5, 0.1 + 0.2])).tolist()
        [0.3, 0.5, 0.3]
    """
    order = np.argsort(values, kind="stable")
    rising = values[order]
    sizes = np.maximum(np.abs(rising[1:]), np.abs(rising[:-1]))
    starts = np.append(True, np.diff(rising) > SAME_SCORE * sizes)
    made = np.empty_like(rising)
    made[order] = rising[np.maximum.accumulate(np.where(starts, np.arange(values.size), 0))]
    return made


def _largest(sizes: FloatArray, axis: int) -> FloatArray:
    """The largest of ``sizes`` along ``axis``, which stays with length 1; missing ones aside."""
    known = np.where(np.isnan(sizes), 0.0, sizes)
    return np.asarray(np.max(known, axis=axis, keepdims=True, initial=0.0))
