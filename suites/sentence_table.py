"""From an Arrow table to checked examples: all task data is checked here.

Faults of a file are found during planning, before any encoder is trained, and are reported with the
file's name.

Shape legend: N rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet
from numpy.typing import NDArray

from objbench.engine.evaluation.examples import Examples
from objbench.errors import DataError, one_line
from objbench_suites.sentence_task import SentenceTask

LABEL = "label"
HIGHEST_SCORE = 5.0
"""The highest score of STS-B's graded similarity, as which every regression is scored."""


def read_table(path: Path) -> pa.Table:
    """The rows of a parquet or jsonl file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if path.suffix == ".jsonl":
            return pa.json.read_json(path)
        return pa.parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        kind = "JSON lines" if path.suffix == ".jsonl" else "parquet"
        raise DataError(
            f"{path} cannot be read as {kind} ({one_line(error)[:120]}): "
            "it is damaged or cut short; copy it again"
        ) from error


def examples_of(table: pa.Table, task: SentenceTask, where: str) -> Examples:
    """The examples in ``table``; ``where`` names the table in errors.

    Raises:
        DataError: a column is missing, empty, of the wrong type, or has labels out of range.
    """
    texts = [task.first] if task.second is None else [task.first, task.second]
    for column in (*texts, LABEL):
        if column not in table.column_names:
            found = ", ".join(table.column_names) or "none"
            raise DataError(
                f"{where} has no column {column!r} (its columns: {found}): {task.name} needs "
                f"{', '.join((*texts, LABEL))}, as in the hub's data set"
            )
    if table.num_rows == 0:
        raise DataError(f"{where} is empty: it needs at least one row")
    sentences = [_texts(table[column], column, where) for column in texts]
    return Examples(
        first=sentences[0],
        second=sentences[1] if task.second is not None else None,
        labels=_labels(table[LABEL], task, where),
    )


def _texts(column: pa.ChunkedArray, name: str, where: str) -> list[str]:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DataError(f"{where}: column {name!r} holds {column.type}, not text")
    if column.null_count:
        raise DataError(f"{where}: column {name!r} has {column.null_count} rows without a text")
    texts: list[str] = column.to_pylist()
    return texts


def _labels(column: pa.ChunkedArray, task: SentenceTask, where: str) -> NDArray[Any]:
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    values: NDArray[Any] | None = None
    if is_number and not column.null_count:
        values = column.to_numpy()
    if task.labels == 1:
        needed = f"numbers from 0 to {HIGHEST_SCORE:g}"
        if values is not None:
            bad = ~((values >= 0) & (values <= HIGHEST_SCORE))
            _refuse(bad, values, task, where, needed)
            return values.astype(np.float32)
    else:
        needed = f"the whole numbers 0 to {task.labels - 1}"
        if values is not None and pa.types.is_integer(column.type):
            bad = (values < 0) | (values >= task.labels)
            _refuse(bad, values, task, where, needed)
            return values.astype(np.int64)
    raise DataError(
        f"{where}: column {LABEL!r} holds {column.type} with {column.null_count} rows unset; "
        f"{task.name} needs {needed}, as in the hub's data set"
    )


def _refuse(
    bad: NDArray[np.bool_], values: NDArray[Any], task: SentenceTask, where: str, needed: str
) -> None:
    if bad.any():
        row = int(bad.argmax())
        hint = " (-1 marks a test set without labels)" if values[row] == -1 else ""
        raise DataError(
            f"{where}: label {values[row]} in row {row + 1}{hint}; {task.name} needs {needed}, "
            "as in the hub's data set"
        )
