"""Fitted weights are the likeliest ones."""

import numpy as np
import pytest

from objbench.data.counts.mixture import mixture_weights


def test_no_other_weights_are_likelier():
    draw = np.random.default_rng(0)
    probabilities = draw.dirichlet(np.ones(8), size=3)[:, draw.integers(0, 8, 500)]
    weights = mixture_weights(probabilities)
    best = np.log(weights @ probabilities).sum()
    grid = np.linspace(0, 1, 41)
    others = [
        np.log(np.array([a, b, 1 - a - b]) @ probabilities).sum()
        for a in grid
        for b in grid
        if a + b <= 1 and a + b > 0
    ]
    assert best >= max(others) - 0.05
    assert weights.sum() == pytest.approx(1)


def test_words_of_one_model_give_it_nearly_all_the_weight():
    weights = mixture_weights(np.array([[0.9] * 50, [0.1] * 50]))
    assert weights[0] > 0.97
    # The other one is not excluded by 50 words.
    assert weights[1] > 1 / 52


def test_without_words_all_weigh_alike():
    assert mixture_weights(np.empty((4, 0))).tolist() == [0.25] * 4
