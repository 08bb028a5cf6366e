"""How often the bootstrap interval covers the truth, by simulation, with few seeds."""

import numpy as np
import pytest

from objbench.judge.statistics.aggregates import interquartile_mean
from objbench.judge.statistics.bootstrap import bootstrap_interval

SIMULATIONS, DRAWS = 1_000, 1_000

# The share over 4,000 simulations, give or take three standard errors of 1,000: at most 0.03.
EXPECTED = {
    ("mean", 3): 0.954,
    ("mean", 10): 0.949,
    ("iqm", 3): 0.972,
    ("iqm", 5): 0.976,
    ("iqm", 10): 0.960,
}
STATISTICS = {"mean": lambda drawn: drawn.mean(axis=-1), "iqm": interquartile_mean}


@pytest.mark.parametrize(("name", "seeds"), EXPECTED)
def test_coverage_of_normal_runs(name, seeds):
    """The centre of the distribution is 0."""
    generator = np.random.Generator(np.random.Philox(seeds))
    intervals = [
        bootstrap_interval(STATISTICS[name], values, generator, DRAWS)
        for values in generator.normal(size=(SIMULATIONS, seeds))
    ]
    covered = np.mean([low <= 0.0 <= high for low, high in intervals])
    assert covered == pytest.approx(EXPECTED[name, seeds], abs=0.03)
    assert covered > 0.93
