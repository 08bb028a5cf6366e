"""How often the bootstrap intervals hold the truth, by simulation, with few seeds.

The 1,000 simulations are the tasks of one array: they share the indices drawn and nothing else.
"""

import numpy as np
import pytest

from objbench.judge.statistics.aggregates import interquartile_mean, mean
from objbench.judge.statistics.bootstrap import bootstrap
from objbench.judge.statistics.bootstrap_intervals import (
    expanded_interval,
    percentile_interval,
    standard_error_interval,
)

SIMULATIONS, DRAWS = 1_000, 1_500

# Bounds are the share over 4,000 simulations (bootstrap_intervals), give or take three standard
# errors of 1,000: at most 0.04. Percentile, expanded, t.
EXPECTED = {
    ("mean", 3): (0.767, 0.767, 0.954),
    ("mean", 5): (0.836, 0.919, 0.948),
    ("mean", 10): (0.898, 0.945, 0.949),
    ("iqm", 3): (0.767, 0.767, 0.972),
    ("iqm", 5): (0.906, 0.939, 0.976),
    ("iqm", 10): (0.930, 0.968, 0.960),
}
AGGREGATES = {"mean": mean, "iqm": interquartile_mean}


def _coverages(name, scores, within):
    """Of percentile, expanded and t, each over the simulations; the truth is 0."""

    def statistic(drawn):
        return AGGREGATES[name](np.moveaxis(drawn.mean(axis=3), 1, -1))

    generator = np.random.Generator(np.random.Philox(3))
    draws = bootstrap(statistic, [scores], generator, DRAWS, within=within)
    runs = len(scores)
    intervals = (
        percentile_interval(draws),
        expanded_interval(draws, runs),
        standard_error_interval(statistic(scores[None])[0], draws, runs),
    )
    return [np.mean((low <= 0.0) & (high >= 0.0)) for low, high in intervals]


@pytest.mark.parametrize(("name", "runs"), EXPECTED)
def test_coverage_of_normal_runs(name, runs):
    generator = np.random.Generator(np.random.Philox(runs))
    found = _coverages(name, generator.normal(size=(runs, SIMULATIONS, 1)), within=False)
    assert found == pytest.approx(EXPECTED[name, runs], abs=0.04)
    # What the docstrings promise: t does not undercover, the plain percentile does.
    assert found[2] > 0.93
    assert found[0] <= found[1]


def test_drawing_fine_tuning_too_counts_its_noise_twice():
    generator = np.random.Generator(np.random.Philox(11))
    runs = generator.normal(size=(3, SIMULATIONS, 1))
    scores = runs + np.sqrt(3.0) * generator.normal(size=(3, SIMULATIONS, 3))
    once, twice = (_coverages("mean", scores, within)[2] for within in (False, True))
    assert 0.93 < once < 0.975
    assert twice > 0.985
