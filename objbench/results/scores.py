"""From an evaluation's raw metrics to the scores that are printed: columns and their average."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from objbench.contract.suite import Column
from objbench.results.records import EvaluationRecord


def column_scores(
    columns: Iterable[Column], records: Iterable[EvaluationRecord]
) -> dict[str, float]:
    """Column name -> printed score, of one encoder and one fine-tuning seed.

    A column's score is the mean of its metrics times its scale; a column with no record, or
    whose record lacks one of its metrics, is absent.
    """
    found: dict[str, Mapping[str, float]] = {}
    for record in records:
        found.update(record.scores)
    return {
        column.name: column.scale
        * sum(found[column.name][metric] for metric in column.metrics)
        / len(column.metrics)
        for column in columns
        if all(metric in found.get(column.name, {}) for metric in column.metrics)
    }
