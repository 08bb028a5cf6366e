"""The weights of a mixture, fitted on text that was not counted.

Shape legend: K models, P words.
"""

from __future__ import annotations

import numpy as np

from objbench.data.counts.hidden_tokens import Values

ITERATIONS = 500


def mixture_weights(probabilities: Values) -> Values:
    """(K,) float64 weights, adding up to 1, under which the mixture gives the words most likelihood.

    By expectation maximisation from equal weights (Jelinek and Mercer 1980): each weight becomes the
    share of the words that its model accounts for. Each model is given one more word, so that none
    is excluded by the text at hand.

    Args:
        probabilities: (K, P) float64, of the words by each model; no word has 0 by all of them.
    """
    models, words = probabilities.shape
    weights = np.full(models, 1 / models)
    for _ in range(ITERATIONS):
        joint = weights[:, np.newaxis] * probabilities
        weights = ((joint / joint.sum(axis=0)).sum(axis=1) + 1) / (words + models)
    return weights
