"""The gains of all tasks and seeds in one number: their interquartile mean, with an interval.

The tasks are the groups that the suite's average is made of. The interval is t with the standard
error of a bootstrap over pretraining seeds, which keeps its level with few seeds. The draws come
from a stream of their own name, so the same scores give the same digits.

Shape legend: S pretraining seeds, G groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from objbench.judge.score_arrays import SuiteScores
from objbench.judge.statistics.aggregates import pooled_interquartile_mean
from objbench.judge.statistics.bootstrap import bootstrap_interval
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.gain_by_task import group_means
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.ties import difference
from objbench.leaderboard.columns import average_groups
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.run_learning import RunLearning
from objbench.results.plan import Plan


def interquartile_gains(
    plan: Plan, found: SuiteScores, ranked: Collection[str], learnt: Mapping[str, RunLearning]
) -> Mapping[str, Quantity]:
    """Ranked objective -> the interquartile mean of its gains over the baseline.

    Over the seeds at which neither run is stuck. Positive is better. Empty for a suite of one task, which has no middle half.
    """
    groups = average_groups(found.suite)
    if len(groups) < 2:
        return {}
    sign = 1.0 if found.suite.direction == "max" else -1.0
    names = [objective.name for objective in plan.objectives]
    base = found.columns[names.index(plan.baseline)]
    pairs = {name: learnt[name].counted & learnt[plan.baseline].counted for name in names}
    return {
        name: _middle(
            sign * group_means(difference(own[pairs[name]], base[pairs[name]], axis=0), groups),
            f"{found.suite.name} {name}",
        )
        for name, own in zip(names, found.columns, strict=True)
        if name in ranked
    }


def _middle(gains: FloatArray, name: str) -> Quantity:
    """The interquartile mean of (S, G) gains, with its interval where there are enough seeds."""
    stream = np.random.SeedSequence(list(f"{name} pooled_middle".encode()))
    generator = np.random.Generator(np.random.Philox(stream))
    interval = bootstrap_interval(pooled_interquartile_mean, gains, generator)
    low, high = (None, None) if interval is None else map(Bound, interval)
    estimate = Bound(float(pooled_interquartile_mean(gains)))
    return Quantity(estimate=estimate, low=low, high=high, notation="gain")
