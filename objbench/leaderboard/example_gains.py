"""Gains with intervals over pretraining seeds and evaluation examples, column by column.

The intervals of a ranking are over seeds alone, on the examples that there are. Where every final
evaluation stores its examples, what another draw of examples would change can be told too (see
``judge.statistics.crossed``).

Shape legend: O objectives, S pretraining seeds, C columns of a suite.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from objbench.judge.evidence import gain_evidence
from objbench.judge.example_evidence import gain_examples
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.score_source import Pair
from objbench.judge.statistics.crossed import ExampleError, with_examples
from objbench.judge.statistics.estimate import FloatArray, t_interval
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.ties import difference
from objbench.leaderboard.quantity import Quantity
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleGains:
    """An objective's gains over the baseline, with intervals over seeds and examples.

    Attributes:
        columns: column -> its gain; without those whose examples are not stored.
        average: the gain of the suite's average; None where a column of it is not stored.
    """

    objective: str
    columns: Mapping[str, Quantity]
    average: Quantity | None


def example_gains(
    results: StudyResults, found: SuiteScores, ranked: Collection[str]
) -> tuple[ExampleGains, ...]:
    """The gains of the ``ranked`` objectives of which examples are stored, in the order of the plan."""
    suite, baseline = found.suite, results.plan.baseline
    names = [objective.name for objective in results.plan.objectives]
    made = []
    for name in names:
        if name not in ranked:
            continue
        pair = Pair(name, baseline)
        evidence = gain_evidence(results, pair, suite.name)
        rows = [results.seeds.index(seed) for seed in evidence.seeds]
        ours, theirs = (found.columns[names.index(side)][rows] for side in (name, baseline))
        columns = {}
        for number, column in enumerate(suite.columns):
            error = gain_examples(results, pair, suite.name, evidence.seeds, column.name)
            if error is not None:
                sign = 1.0 if column.direction == "max" else -1.0
                gains = difference(sign * ours[:, number], sign * theirs[:, number])
                columns[column.name] = _quantity(gains, error)
        error = gain_examples(results, pair, suite.name, evidence.seeds)
        average = None if error is None else _quantity(evidence.differences, error)
        if columns:
            made.append(ExampleGains(objective=name, columns=columns, average=average))
    return tuple(made)


def _quantity(gains: FloatArray, error: ExampleError) -> Quantity:
    mean, half = (float(value) for value in t_interval(gains))
    low, high = with_examples(mean - half, mean + half, error)
    return Quantity(estimate=Bound(mean), low=Bound(low), high=Bound(high), notation="gain")
