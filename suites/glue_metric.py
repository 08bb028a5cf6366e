"""GLUE's official metrics as an ``evaluate.Metric``, without a download and without NaN.

The same numbers as ``evaluate.load("glue", task)``, which fetches its code from the hub. The one
difference is constant predictions: their correlations are undefined there, and 0 here, because such
a classifier has learned nothing and its task must not drop out of an average.

Shape legend: N examples.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import evaluate
import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from objbench_suites.glue_tasks import OF_GRADES, metrics_of


def accuracy(predictions: ArrayLike, references: ArrayLike) -> float:
    """Share of (N,) predictions that equal the (N,) references."""
    return float(accuracy_score(references, predictions))


def f1(predictions: ArrayLike, references: ArrayLike) -> float:
    """F1 of class 1, of (N,) classes 0 and 1; 0 if class 1 is never predicted correctly."""
    return float(f1_score(references, predictions, zero_division=0))


def matthews_correlation(predictions: ArrayLike, references: ArrayLike) -> float:
    """Matthews correlation of (N,) classes; 0 if either side is constant."""
    return float(matthews_corrcoef(references, predictions))


def pearson(predictions: ArrayLike, references: ArrayLike) -> float:
    """Pearson correlation of (N,) values; 0 if either side is constant."""
    return _defined(pearsonr, predictions, references)


def spearman(predictions: ArrayLike, references: ArrayLike) -> float:
    """Spearman rank correlation of (N,) values; 0 if either side is constant."""
    return _defined(spearmanr, predictions, references)


def _defined(
    correlation: Callable[..., Any], predictions: ArrayLike, references: ArrayLike
) -> float:
    left, right = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    with warnings.catch_warnings():
        # Nearly constant input: the number is imprecise but defined.
        warnings.simplefilter("ignore")
        value = float(correlation(left, right)[0])
    return value if np.isfinite(value) else 0.0


_FUNCTIONS: Mapping[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "accuracy": accuracy,
    "f1": f1,
    "matthews_correlation": matthews_correlation,
    "pearson": pearson,
    "spearmanr": spearman,
}


class GlueMetric(evaluate.Metric):  # type: ignore[misc]
    """The official metrics of one GLUE task, or some of GLUE's metrics.

    ``GlueMetric("mrpc", folder).compute(predictions=[0, 1], references=[0, 1])`` gives
    ``{"accuracy": 1.0, "f1": 1.0}``, as does ``GlueMetric("accuracy+f1", folder)``.

    Args:
        task: a GLUE task, such as "cola", or metrics joined by "+".
        cache: folder that ``evaluate`` requires to exist; nothing is stored there.

    Raises:
        UnknownNameError: GLUE has no such task or metric.
    """

    def __init__(self, task: str, cache: Path) -> None:
        metrics_of(task)
        # A fixed seed: evaluate would otherwise read numpy's global state to choose one.
        fixed: dict[str, Any] = {"config_name": task, "keep_in_memory": True, "seed": 0}
        try:
            super().__init__(cache_dir=str(cache), **fixed)
        except OSError:
            # Nothing is stored, so a cache that cannot be written is no failure.
            with TemporaryDirectory() as unused:
                super().__init__(cache_dir=unused, **fixed)

    def _info(self) -> evaluate.MetricInfo:
        is_graded = not {*metrics_of(str(self.config_name))}.isdisjoint(OF_GRADES)
        kind = "float32" if is_graded else "int64"
        return evaluate.MetricInfo(
            description="The official metrics of a GLUE task.",
            citation="Wang et al. 2019, GLUE, arXiv:1804.07461",
            inputs_description="Args: predictions and references, classes or values.",
            features=datasets.Features(
                {"predictions": datasets.Value(kind), "references": datasets.Value(kind)}
            ),
            format="numpy",
        )

    def _compute(self, predictions: ArrayLike, references: ArrayLike) -> dict[str, float]:
        names = metrics_of(str(self.config_name))
        return {name: _FUNCTIONS[name](predictions, references) for name in names}
