"""The rows of a file of a task of one's own: texts and labels, each checked where it is read.

A row is counted from 1, without a header.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from objbench.data.column_kinds import Schema
from objbench.errors import DataError
from objbench_suites.own_tasks import OwnTask, shown

_MOST_CHARACTERS = 1 << 30


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, in its order.

    Attributes:
        path: the file.
        texts: of each row its text, or both of a pair.
        labels: of each row its class, or its grade.
    """

    path: Path
    texts: Sequence[tuple[str, ...]]
    labels: Sequence[str | float]

    def where(self, row: int) -> str:
        """The place of a row, which is counted from 0, for errors."""
        return f"{self.path}, row {row + 1}"


def require_table(name: str, path: Path) -> None:
    """Refuse a file of the task ``name`` that is not there, or is no table by its name.

    Raises:
        DataError: it is.
    """
    from objbench.data.table_files import TABLES, format_of

    try:
        is_file, is_there = path.is_file(), path.exists()
    except OSError as error:  # a name that is too long, or a folder that may not be read
        raise DataError(
            f"task {name} names {shown(path)}, which cannot be read ({error.strerror}): correct it"
        ) from error
    if not is_file:
        why = "is no file" if is_there else "does not exist"
        raise DataError(f"{path} {why}: correct the file of task {name}")
    if format_of(path, TABLES) is None:
        raise DataError(
            f"{path} of task {name} is no table: name a file that ends in .csv, .tsv, .jsonl, .json or .parquet"
        )


def rows_of(task: OwnTask, path: Path) -> Rows:
    """The rows of ``path`` with the columns of ``task``.

    Raises:
        DataError: the file cannot be read, lacks a column or has no rows, or a text or label is
            missing or no number where grades are wanted.
    """
    from objbench.data.table_files import read_rows

    texts: list[tuple[str, ...]] = []
    labels: list[str | float] = []
    size = 0
    schema: Schema = {
        **dict.fromkeys(task.text, "text"),
        task.label: "number" if task.is_graded else "class",
    }
    for row in read_rows(path, schema):
        where = f"{path}, row {len(texts) + 1}"
        *sentences, label = row
        for column, sentence in zip(task.text, sentences, strict=True):
            if not isinstance(sentence, str) or not sentence.strip():
                raise DataError(
                    f"{where}: column {shown(column)} has no text: add it, or remove the row"
                )
            size += len(sentence)
        labels.append(_label(label, where, task.label))
        texts.append(tuple(map(str, sentences)))
        if size > _MOST_CHARACTERS:
            raise DataError(f"{where}: the texts so far have 1 GiB: take a sample of the rows")
    if not texts:
        raise DataError(f"{path} has no rows: add some, or correct the name of the file")
    return Rows(path, texts, labels)


def _label(value: object, where: str, column: str) -> str | float:
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, float | int):
        if math.isfinite(value) and abs(value) < 1e30:
            return float(value)
        raise DataError(
            f"{where}: column {shown(column)} has {value:g}, which is no grade: correct it, or "
            "remove the row"
        )
    raise DataError(f"{where}: column {shown(column)} has no label: add it, or remove the row")
