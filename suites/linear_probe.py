"""A linear probe: L2-regularised regression on standardised features of a frozen encoder.

Classes by logistic regression, grades by ridge regression, both convex: the solution is unique,
whatever the seed. With standardised features z and l the cross-entropy, or half the squared error,

    w = argmin  1/N sum_i l(w, z_i, y_i) + strength / 2 |w|^2

the strength is the one with the smallest loss on a fifth of the training examples, which are
included again in the final fit. The loss is used, not the task's metric, because it is less noisy
over the few hundred examples held out.

Shape legend: N examples, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from objbench.engine.evaluation.splits import held_count

MOST_ITERATIONS = 10_000
"""Of L-BFGS; never reached: it ends by its tolerance, after about 15 (strong) to 100 (weak)."""

_LEAST = np.finfo(np.float64).tiny


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """A fitted probe.

    Attributes:
        strength: of the L2 penalty.
        is_regression: whether it predicts grades, not classes.
    """

    strength: float
    is_regression: bool
    _model: Any

    def predict(self, features: NDArray[np.float64]) -> NDArray[Any]:
        """(N,) int64 classes, or float64 grades, for (N, F) features."""
        predictions: NDArray[Any] = self._model.predict(features)
        return predictions

    def loss(self, features: NDArray[np.float64], targets: NDArray[Any]) -> float:
        """Mean cross-entropy in nats, or mean squared error, on (N, F) features."""
        if self.is_regression:
            return float(np.mean((self.predict(features) - targets) ** 2))
        # A class that was absent from the fit has no probability, whatever the strength.
        is_true = targets[:, None] == self._model.classes_
        shares = (self._model.predict_proba(features) * is_true).sum(axis=1)
        return float(-np.log(np.maximum(shares, _LEAST)).mean())


def fit(
    features: NDArray[np.float64],
    targets: NDArray[Any],
    strength: float,
    *,
    is_regression: bool,
    standardise: bool = True,
) -> LinearProbe:
    """The probe of one strength.

    Args:
        features: (N, F).
        targets: (N,) int64 classes, or float32 grades.
        strength: of the L2 penalty, relative to a mean loss.
        is_regression: whether the targets are grades.
        standardise: whether to fit to z, or to the features as they are, which may be sparse.
    """
    # Both penalise a sum over the examples, not a mean: ridge by |w|^2 alpha, the other by 1 / C.
    penalty = strength * len(targets)
    model: Any
    if is_regression:
        model = Ridge(alpha=penalty)
    elif np.ptp(targets) == 0:
        model = DummyClassifier(strategy="prior")
    else:
        model = LogisticRegression(C=1 / penalty, max_iter=MOST_ITERATIONS)
    scaled = make_pipeline(StandardScaler(), model) if standardise else model
    return LinearProbe(strength, is_regression, scaled.fit(features, targets))


def fit_chosen(
    features: NDArray[np.float64],
    targets: NDArray[Any],
    strengths: Sequence[float],
    *,
    is_regression: bool,
    standardise: bool = True,
) -> LinearProbe:
    """The probe of the strength that does best on the last fifth of the examples.

    Args:
        features: (N, F), in an order that is independent of the targets.
        targets: (N,) int64 classes, or float32 grades.
        strengths: to choose from; the first of several equally good ones is taken.
        is_regression: whether the targets are grades.
        standardise: as for ``fit``.

    Raises:
        DataError: there are too few examples to hold any out.
    """
    cut = len(targets) - held_count(len(targets))
    how = partial(fit, is_regression=is_regression, standardise=standardise)
    losses = [
        how(features[:cut], targets[:cut], strength).loss(features[cut:], targets[cut:])
        for strength in strengths
    ]
    return how(features, targets, strengths[int(np.argmin(losses))])
