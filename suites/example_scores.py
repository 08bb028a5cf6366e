"""The official metrics example by example: their mean is the metric, their spread its error.

A metric is a function of the distribution of the examples, and the value of example i is the metric
plus the example's influence on it: how fast the metric changes as the example is given more weight
(Hampel 1974, "The Influence Curve and Its Role in Robust Estimation"). The influences add up to 0,
and the variance of a metric over samples of N examples is that of the values over N (Jaeckel 1972,
the infinitesimal jackknife). With x the predictions, y the references and E the mean:

    accuracy   1 where x = y, 0 elsewhere
    f1         F + (2 x y - F (x + y)) / (E x + E y),  F = 2 E xy / (E x + E y), classes 0 and 1
    a correlation of u and v, each of mean 0 and variance 1
               r + u v - r (u u + v v) / 2;  Matthews: of the indicators of the classes
    spearmanr  the same of mid-ranks, which depend on the other examples' values in their turn

Where a metric is 0 because it is undefined, all values are 0.

Shape legend: N examples, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from objbench_suites.glue_tasks import metrics_of

FloatArray = NDArray[np.float64]


def example_values(
    metric: str, predictions: ArrayLike, references: ArrayLike
) -> dict[str, FloatArray]:
    """Metric -> the (N,) values, for the metrics that ``metric`` stands for.

    Args:
        metric: a GLUE task, such as "cola", or metrics joined by "+".
        predictions, references: (N,) classes, or values of a regression.
    """
    # Values are compared in float32, as the metrics compare them.
    x, y = (np.asarray(side, np.float32).astype(np.float64) for side in (predictions, references))
    return {name: _FUNCTIONS[name](x, y) for name in metrics_of(metric)}


def _accuracy(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(x == y, np.float64)


def _f1(x: FloatArray, y: FloatArray) -> FloatArray:
    size = x.mean() + y.mean()
    if not size:
        return np.zeros(x.size)
    value = 2 * (x * y).mean() / size
    return np.asarray(value + (2 * x * y - value * (x + y)) / size)


def _matthews(x: FloatArray, y: FloatArray) -> FloatArray:
    classes = np.union1d(x, y)
    u, v = (np.stack([side == one for one in classes], axis=1) * 1.0 for side in (x, y))
    u, v = u - u.mean(axis=0), v - v.mean(axis=0)
    return _correlated((u * v).sum(axis=1), (u * u).sum(axis=1), (v * v).sum(axis=1))


def _pearson(x: FloatArray, y: FloatArray) -> FloatArray:
    u, v = x - x.mean(), y - y.mean()
    return _correlated(u * v, u * u, v * v)


def _spearman(x: FloatArray, y: FloatArray) -> FloatArray:
    # Mid-ranks as shares of the examples, whose mean is 1/2 whatever the ties.
    u, v = _below(x) - 0.5, _below(y) - 0.5
    # A rank counts the examples below: each example also moves the ranks of those above it.
    return _correlated(
        u * v + _moved(x, v) + _moved(y, u), u * u + 2 * _moved(x, u), v * v + 2 * _moved(y, v)
    )


def _correlated(products: FloatArray, squares: FloatArray, others: FloatArray) -> FloatArray:
    """Values of C / sqrt(A B), from those of a covariance C and of the variances A and B.

    Args:
        products, squares, others: (N,), whose means are C, A and B.
    """
    a, b = squares.mean(), others.mean()
    if min(a, b) <= 0:
        return np.zeros(products.size)
    scale = np.sqrt(a) * np.sqrt(b)
    value = products.mean() / scale
    return np.asarray(
        value
        + (products - products.mean()) / scale
        - value / 2 * ((squares - a) / a + (others - b) / b)
    )


def _below(x: FloatArray) -> FloatArray:
    """(N,) the share of examples with a smaller value, plus half of those with the same."""
    _, group = np.unique(x, return_inverse=True)
    shares = np.bincount(group) / x.size
    return np.asarray((np.cumsum(shares) - shares / 2)[group])


def _moved(x: FloatArray, values: FloatArray) -> FloatArray:
    """(N,) what more weight of an example does to the mean of the ranks of x times ``values``.

    The mean of ``values`` where x is larger, and half of where it is the same, less its own mean.
    """
    _, group = np.unique(x, return_inverse=True)
    sums = np.bincount(group, values) / x.size
    found = (sums.sum() - np.cumsum(sums) + sums / 2)[group]
    return np.asarray(found - found.mean())


_FUNCTIONS: Mapping[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "matthews_correlation": _matthews,
    "pearson": _pearson,
    "spearmanr": _spearman,
}
