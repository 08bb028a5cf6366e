"""From records to what the examples add to a gain's uncertainty: paired differences, one by one.

Nothing is known of it unless every final evaluation of both sides holds its examples, all of the
same ones in the same order. Older records hold none.

Shape legend: S pretraining seeds that count, n stored examples of a column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from objbench.contract.suite import Average, Column
from objbench.judge.score_source import Pair, planned_suite
from objbench.judge.statistics.crossed import (
    ExampleDifferences,
    ExampleError,
    example_error,
    with_examples,
)
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.proportions import BoolArray
from objbench.judge.verdict import Finding
from objbench.results.packed_values import unpacked
from objbench.results.plan import PlannedSuite
from objbench.results.records import EvaluationRecord
from objbench.results.study_results import StudyResults

Same = tuple[str, int, int]
"""Which examples: their digest, every which one is stored, and of how many."""


def interval_over_examples(
    results: StudyResults, pair: Pair, source: str, seeds: Sequence[int], finding: Finding | None
) -> tuple[float, float] | None:
    """The interval of a gain over seeds and examples, at the level of the interval over seeds.

    Args:
        source, seeds: as for ``gain_examples``.
        finding: the gain over these seeds.

    Returns:
        None where the finding has no interval, and as ``gain_examples``.
    """
    if finding is None or finding.low is None or finding.high is None:
        return None
    examples = gain_examples(results, pair, source, seeds)
    if examples is None:
        return None
    return with_examples(finding.low.value, finding.high.value, examples, finding.level)


def gain_examples(
    results: StudyResults, pair: Pair, source: str, seeds: Sequence[int], column: str = ""
) -> ExampleError | None:
    """What the choice of examples adds to the uncertainty of the pair's gain.

    Args:
        source: one of ``score_sources``.
        seeds: the pretraining seeds that the gain is a mean over.
        column: the gain on this column of the suite; that of its average by default.

    Returns:
        None for fewer than ``MIN_RUNS`` seeds, for a loss on held-out text, and where a column
        that counts has no examples that all evaluations share.
    """
    suite = planned_suite(results, source)
    if suite is None or len(seeds) < MIN_RUNS:
        return None
    sides = [_records(results, suite, name, seeds) for name in (pair.objective, pair.baseline)]
    weights = {column: 1.0} if column else _weights(suite.average)
    # Columns of one and the same set of examples depend on each other: they are added up first.
    differences: dict[Same, FloatArray] = {}
    for own in suite.columns:
        if not (weight := weights.get(own.name, 0.0)):
            continue
        ours, theirs = (_by_example(side[own.task], own) for side in sides)
        if ours is None or theirs is None or ours[0] != theirs[0]:
            return None
        gain = weight * (ours[1] - theirs[1])
        differences[ours[0]] = differences.get(ours[0], np.zeros(())) + gain
    sets = [ExampleDifferences(values, same[2]) for same, values in differences.items()]
    if not sets or any(one.values.shape[1] < 2 for one in sets):
        return None
    return example_error(sets)


def right_or_wrong(
    results: StudyResults, pair: Pair, source: str, seed: int, column: str
) -> tuple[BoolArray, BoolArray] | None:
    """Which stored examples of a column the objective has right, and which the baseline has.

    Of the encoders with one pretraining seed, each fine-tuned with the first seed that both have.

    Returns:
        (N,) bool of each side; None where they do not store the same examples, or no metric of the
        column is a share of examples that are right.
    """
    suite = planned_suite(results, source)
    own = next((one for one in suite.columns if one.name == column), None) if suite else None
    if suite is None or own is None:
        return None
    sides = [
        {
            record.finetune_seed: record
            for record in _records(results, suite, name, [seed])[own.task][0]
        }
        for name in (pair.objective, pair.baseline)
    ]
    shared = sorted(sides[0].keys() & sides[1].keys())
    if not shared:
        return None
    ours, theirs = (side[shared[0]] for side in sides)
    for metric in own.metrics:
        found = [_by_example([[record]], own, (metric,)) for record in (ours, theirs)]
        first, second = found
        if first is None or second is None or first[0] != second[0]:
            return None
        values = [side[1][0] / own.scale for side in (first, second)]
        if all(np.isin(side, (0.0, 1.0)).all() for side in values):
            right = 1.0 if own.direction == "max" else 0.0
            return values[0] == right, values[1] == right
    return None


def _weights(average: Average) -> Mapping[str, float]:
    """Column -> its weight in the suite's one score."""
    found: dict[str, float] = {}
    for group in average.groups:
        for column in group:
            found[column] = found.get(column, 0.0) + 1.0 / len(group) / len(average.groups)
    return found


def _records(
    results: StudyResults, suite: PlannedSuite, objective: str, seeds: Sequence[int]
) -> Mapping[str, list[list[EvaluationRecord]]]:
    """Task -> for each seed the final evaluations that are there, one per fine-tuning seed."""
    found: dict[str, list[list[EvaluationRecord]]] = {
        column.task: [[] for _ in seeds] for column in suite.columns
    }
    place = {seed: row for row, seed in enumerate(seeds)}
    for cell in results.evaluations(suite.name, objective):
        record = results.records.get(cell.id)
        if (
            cell.share >= 1.0
            and cell.seed in place
            and cell.task in found
            and isinstance(record, EvaluationRecord)
            and record.status == "ok"
        ):
            found[cell.task][place[cell.seed]].append(record)
    return found


def _by_example(
    seeds: Sequence[Sequence[EvaluationRecord]], column: Column, metrics: Sequence[str] = ()
) -> tuple[Same, FloatArray] | None:
    """Which examples, and their (S, n) scaled values, fine-tuning seeds averaged.

    Args:
        metrics: averaged; all of the column's by default.
    """
    metrics = metrics or column.metrics
    same: set[Same] = set()
    rows = []
    for records in seeds:
        values = []
        for record in records:
            stored = record.examples.get(column.name)
            if stored is None or not {*metrics} <= stored.metrics.keys():
                return None
            count = record.eval_examples[column.name]
            same.add((stored.of, stored.every, count))
            by_metric = unpacked(stored, count)
            values.append(np.mean([by_metric[metric] for metric in metrics], axis=0))
        if not values or len(same) > 1:
            return None
        rows.append(column.scale * np.mean(values, axis=0))
    return same.pop(), np.stack(rows)
