"""From the columns of a table to checked examples: all task data is checked here.

Faults of a file are found during planning, before any encoder is trained, and are reported with the
file's name.

Shape legend: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objbench.engine.evaluation.examples import Examples
from objbench.errors import DataError
from objbench_suites.sentence_task import SentenceTask

if TYPE_CHECKING:
    from objbench.data.column_kinds import Schema

LABEL = "label"
HIGHEST_SCORE = 5.0
"""The highest score of STS-B's graded similarity, as which every regression is scored."""


def schema_of(task: SentenceTask) -> Schema:
    """The columns that ``task`` reads: sentences are text and labels are numbers."""
    sentences = [task.first] if task.second is None else [task.first, task.second]
    return {**dict.fromkeys(sentences, "text"), LABEL: "number"}


def examples_of(columns: Mapping[str, Sequence[Any]], task: SentenceTask, where: str) -> Examples:
    """The examples in the columns of ``schema_of``; ``where`` names their table in errors.

    Raises:
        DataError: a sentence or label is null, or a label is out of range.
    """
    return Examples(
        first=_texts(columns[task.first], task.first, where),
        second=None if task.second is None else _texts(columns[task.second], task.second, where),
        labels=_labels(columns[LABEL], task, where),
    )


def joined(parts: Sequence[Examples], where: str) -> Examples:
    """The examples of the parts of one split, in order.

    Raises:
        DataError: there is not one.
    """
    if not sum(map(len, parts)):
        raise DataError(f"{where} is empty: it needs at least one row")
    has_second = parts[0].second is not None
    return Examples(
        first=[text for part in parts for text in part.first],
        second=[text for part in parts for text in part.second or ()] if has_second else None,
        labels=np.concatenate([part.labels for part in parts]),
    )


def _texts(values: Sequence[Any], name: str, where: str) -> list[str]:
    if nulls := sum(value is None for value in values):
        raise DataError(f"{where}: column {name!r} has {nulls} rows without a text: add them")
    return list(values)


def _labels(given: Sequence[Any], task: SentenceTask, where: str) -> NDArray[Any]:
    """(N,) int64 classes or float32 scores; whole numbers may be written as fractions."""
    is_graded = task.labels == 1
    needed = f"{'numbers' if is_graded else 'the whole numbers'} from 0 to "
    needed += f"{HIGHEST_SCORE if is_graded else task.labels - 1:g}, as in the hub's data set"
    if nulls := sum(value is None for value in given):
        raise DataError(
            f"{where}: column {LABEL!r} has {nulls} rows without a label; {task.name} needs {needed}"
        )
    values = np.array(given, np.float64)
    bad = ~((values >= 0) & (values <= (HIGHEST_SCORE if is_graded else task.labels - 1)))
    if not is_graded:
        bad |= values != np.floor(values)
    if bad.any():
        row = int(bad.argmax())
        hint = " (-1 marks a test set without labels)" if values[row] == -1 else ""
        raise DataError(
            f"{where}: label {values[row]:g} in row {row + 1}{hint}; {task.name} needs {needed}"
        )
    return values.astype(np.float32 if is_graded else np.int64)
