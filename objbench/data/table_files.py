"""Reads named columns of JSON-lines, CSV and parquet files by an explicit schema.

A column holds text, numbers or classes because the caller says so, never because of what its first
rows hold, so whole and fractional numbers may be mixed. A null is None in every format. Everything
that reads records of a user (corpora, GLUE, BLiMP, tasks of one's own) reads them here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objbench.data.column_kinds import MANY, Schema, Value, class_name
from objbench.data.file_lines import LONGEST_LINE, endings_of, read_errors, text_lines
from objbench.data.json_rows import json_rows
from objbench.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = {
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
"""Ending -> format. ``.json`` is JSON lines, or one array of objects."""

TABLES = {".tsv": "tsv", **FORMATS}
"""The same with CSV whose fields are separated by tabs. Corpora and folders of GLUE are no such
files: what lies there beside the files that are read has always been left alone."""

ROWS = 512
"""Rows of a parquet file that are decoded together."""


def format_of(path: Path, formats: Mapping[str, str] = FORMATS) -> str | None:
    """The format in ``formats`` that the name of ``path`` says, or None."""
    endings, packing = endings_of(path)
    found = formats.get(endings[-1]) if endings else None
    return None if found == "parquet" and packing else found


def read_rows(path: Path, schema: Schema) -> Iterator[tuple[Value, ...]]:
    """Yields the values of every row in the order of ``schema``.

    Raises:
        DataError: the file cannot be read or is malformed, or a column is missing, there twice,
            or of another kind.
    """
    found = format_of(path, TABLES)
    if found == "parquet":
        batches = _parquet_batches(path, schema)
        return (row for columns in batches for row in zip(*columns, strict=True))
    if found in ("csv", "tsv"):
        return _csv_rows(path, schema, "\t" if found == "tsv" else ",")
    return json_rows(path, schema, may_be_array=found == "json")


def read_columns(path: Path, schema: Schema) -> dict[str, list[Value]]:
    """All values of every column of ``schema``; raises as ``read_rows``."""
    columns: dict[str, list[Value]] = {name: [] for name in schema}
    if format_of(path) == "parquet":
        batches = _parquet_batches(path, schema)
    else:
        batches = ([[value] for value in row] for row in read_rows(path, schema))
    for batch in batches:
        for name, values in zip(schema, batch, strict=True):
            columns[name] += values
    return columns


def columns_of(table: pa.Table | pa.RecordBatch, schema: Schema, where: str) -> list[list[Value]]:
    """The columns of an Arrow table in the order of ``schema``; ``where`` names it in errors.

    Raises:
        DataError: a column is missing, there twice, or of another kind.
    """
    _check_names(table.schema.names, schema, where)
    return [_values(table.column(name), name, schema[name], where) for name in schema]


def _check_names(names: Sequence[str], schema: Schema, where: str) -> None:
    for name in schema:
        if (count := list(names).count(name)) != 1:
            what = "no column" if not count else f"{count} columns"
            known = ", ".join(names) or "none"
            raise DataError(
                f"{where} has {what} {name!r} (its columns: {known}); needed once: "
                f"{', '.join(schema)}"
            )


def _values(column: Any, name: str, kind: str, where: str) -> list[Value]:
    """The values of one Arrow column."""
    import pyarrow as pa

    found = column.type
    while pa.types.is_dictionary(found):
        found = found.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    fits = {
        "text": texts,
        "number": (pa.types.is_integer, pa.types.is_floating),
        "class": (*texts, pa.types.is_integer, pa.types.is_boolean),
    }[kind]
    if not (pa.types.is_null(found) or any(is_one(found) for is_one in fits)):
        raise DataError(
            f"{where}: column {name!r} holds {column.type}, not {MANY[kind]}: convert it"
        )
    try:
        values: list[Value] = column.to_pylist()
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: column {name!r} is not UTF-8: convert it") from error
    return [class_name(value) for value in values] if kind == "class" else values


def _parquet_batches(path: Path, schema: Schema) -> Iterator[list[list[Value]]]:
    """The columns of at most ROWS rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with read_errors(path), pq.ParquetFile(path) as table:
            # Checked here, since reading drops columns silently that are not there.
            _check_names(table.schema_arrow.names, schema, str(path))
            for group in range(table.num_row_groups):
                rows = _rows_at_once(table.metadata.row_group(group), schema, path)
                for batch in table.iter_batches(rows, [group], list(schema)):
                    yield columns_of(batch, schema, str(path))
    except pa.ArrowException as error:
        raise DataError(
            f"{path}: not a readable parquet file ({one_line(error)[:120]}): check or replace it"
        ) from error


def _rows_at_once(group: Any, schema: Schema, path: Path) -> int:
    """As many rows of a row group as a line may have bytes together, at most ROWS."""
    columns = [group.column(at) for at in range(group.num_columns)]
    size = sum(one.total_uncompressed_size for one in columns if one.path_in_schema in schema)
    mean: int = size // max(1, group.num_rows)
    if mean > LONGEST_LINE:
        raise DataError(
            f"{path}: rows of {mean >> 20:,} MiB: put one document in a row, of at most "
            f"{LONGEST_LINE >> 20} MiB"
        )
    return min(ROWS, LONGEST_LINE // max(1, mean))


def _csv_rows(path: Path, schema: Schema, comma: str) -> Iterator[tuple[Value, ...]]:
    """The rows below the line of column names; a missing number is an empty field."""
    # The library's limit holds for the whole process; it would refuse fields of 128 kB.
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_LINE))
    lines = (line for _, line in text_lines(path))
    reader = csv.reader(lines, delimiter=comma, strict=True)
    try:
        names = next(reader, [])
        _check_names(names, schema, str(path))
        for row in reader:
            if not row:
                continue
            where = f"{path}:{reader.line_num}"
            if len(row) != len(names):
                raise DataError(
                    f"{where}: {len(row)} fields in a table of {len(names)} columns: put quotes "
                    f"around texts with {'commas' if comma == ',' else 'tabs'}"
                )
            fields = dict(zip(names, row, strict=True))
            yield tuple(_field(fields[name], name, schema[name], where) for name in schema)
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV ({error}): check the quotes") from error


def _field(text: str, name: str, kind: str, where: str) -> Value:
    if kind != "number":
        return text
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise DataError(f"{where}: no number in the field {name!r}: {text[:40]!r}") from None
