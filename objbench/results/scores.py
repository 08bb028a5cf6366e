"""From an evaluation's raw metrics to the scores that are printed, one per column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from objbench.contract.suite import Column
from objbench.results.records import EvaluationRecord


def column_value(record: EvaluationRecord, column: Column) -> float:
    """The mean of the column's metrics times its scale; NaN if the record lacks one of them."""
    found = record.scores.get(column.name, {})
    values = [found.get(metric, math.nan) for metric in column.metrics]
    mean = sum(values) / len(values) if values else math.nan
    return mean * column.scale if math.isfinite(mean) else math.nan


def column_scores(
    columns: Sequence[Column], records: Iterable[EvaluationRecord]
) -> dict[str, float]:
    """Column name -> its value, of one encoder and one fine-tuning seed.

    Args:
        columns: of one suite.
        records: one per task; a column that none of them has a value of is left out.
    """
    return {
        column.name: value
        for record in records
        for column in columns
        if math.isfinite(value := column_value(record, column))
    }
