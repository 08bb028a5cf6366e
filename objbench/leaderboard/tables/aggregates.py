"""The gains of all tasks in one number: mean, median and interquartile mean, with intervals.

The tasks are the groups that the suite's average is made of, so that the mean is the average's
gain. The mean has the t-interval; the others have none in closed form and are bootstrapped over
pretraining seeds alone (``judge.bootstrap``): t with the bootstrap's standard error below 10
seeds, the expanded percentile from 10 on, as ``judge.bootstrap_intervals`` found. The draws come
from a stream of their own name, so the same scores give the same digits.

Shape legend: S pretraining seeds, G groups, n draws.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from objbench.judge.formatting import difference_text, listed, markdown, points, signed
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.statistics.aggregates import cells, interquartile_mean, median
from objbench.judge.statistics.bootstrap import DRAWS, bootstrap
from objbench.judge.statistics.bootstrap_intervals import expanded_interval, standard_error_interval
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray, estimate
from objbench.judge.statistics.gain_by_task import group_means
from objbench.leaderboard.ranking import ranking
from objbench.leaderboard.tables.tasks import average_groups
from objbench.results.study_results import StudyResults

# From so many seeds on, quantiles of the draws are better than their deviation.
MANY_RUNS = 10

Aggregate = Callable[[FloatArray], FloatArray]


def task_median(gains: FloatArray) -> FloatArray:
    """Median over the groups of each group's mean over the seeds: (..., S, G) -> (...)."""
    return median(gains.mean(axis=-2))


def pooled_middle(gains: FloatArray) -> FloatArray:
    """Interquartile mean of the gains of all seeds and groups: (..., S, G) -> (...)."""
    return interquartile_mean(cells(gains))


def aggregate_table(results: StudyResults, found: SuiteScores) -> str:
    """One row an objective that is ranked, without the baseline; "" where none or one task is."""
    names = [objective.name for objective in results.plan.objectives]
    base = names.index(results.plan.baseline)
    groups = average_groups(found.suite)
    lines = []
    for row in ranking(results, found):
        if row.gain is None or len(groups) < 2:
            continue
        columns = found.columns[names.index(row.objective)] - found.columns[base]
        gains = group_means(columns, groups)
        lines.append(
            {
                "objective": row.objective,
                "mean": difference_text(estimate(gains.mean(axis=1)), brief=True),
                "median of the tasks": _text(task_median, gains, row.objective, found),
                "interquartile mean": _text(pooled_middle, gains, row.objective, found),
            }
        )
    return markdown(pd.DataFrame(lines)) if lines else ""


def aggregate_sentence(results: StudyResults, found: SuiteScores) -> str:
    """What the table's numbers are of and where their intervals come from."""
    groups = [" and ".join(group) for group in found.suite.average_groups]
    text = (
        f"Gains over {results.plan.baseline} at the same seed on {len(groups)} tasks "
        f"({listed(groups)}): their mean, the median of the tasks' means, and the mean of the "
        "middle half of all seeds x tasks."
    )
    runs = len(results.seeds)
    if runs < MIN_RUNS:
        return text
    kind = (
        "the expanded percentile interval"
        if runs >= MANY_RUNS
        else "t with the bootstrap's standard error"
    )
    return (
        f"{text} Intervals: t for the mean; for the others {kind}, from {DRAWS:,} draws of the "
        "pretraining seeds."
    )


def _text(aggregate: Aggregate, gains: FloatArray, objective: str, found: SuiteScores) -> str:
    """The aggregate of (S, G) gains, with its interval from ``MIN_RUNS`` seeds on."""
    value, runs = float(aggregate(gains)), len(gains)
    if runs < MIN_RUNS:
        return signed(value)
    generator = _stream(f"{found.suite.name} {objective} {aggregate.__name__}")
    draws = bootstrap(
        lambda drawn: aggregate(drawn[..., 0]), [gains[:, :, None]], generator, within=False
    )
    if runs >= MANY_RUNS:
        interval = expanded_interval(draws, runs)
        assert interval is not None
        return f"{signed(value)} [{signed(interval[0])} to {signed(interval[1])}]"
    interval = standard_error_interval(value, draws, runs)
    assert interval is not None
    return f"{signed(value)} ± {points(interval[1] - value)}"


def _stream(name: str) -> np.random.Generator:
    """Random numbers by name, as the judge's own test has them."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(list(name.encode()))))
