"""JSON: the fields of an object per line, or of the objects of one array."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from objbench.data.column_kinds import ONE, Schema, Value, class_name
from objbench.data.file_lines import LONGEST_LINE, text_lines
from objbench.errors import DataError, one_line

_SHOWN = 60
"""Characters of foreign text in a message."""


def json_rows(path: Path, schema: Schema, *, may_be_array: bool) -> Iterator[tuple[Value, ...]]:
    """Yields the values of every object in the order of ``schema``.

    Args:
        path: a file of one object per line, or of one array of objects.
        schema: what is read of each object.
        may_be_array: whether the file may also be one array.

    Raises:
        DataError: the file cannot be read or is malformed, or a field is missing, there twice, or of
            another kind.
    """
    for where, row in _json_objects(path, schema, may_be_array=may_be_array):
        yield tuple(_checked(row, name, schema[name], where) for name in schema)


def _json_objects(path: Path, schema: Schema, *, may_be_array: bool) -> Iterator[tuple[str, Any]]:
    """(place for errors, what is there) for each line, or element of the one array of .json."""
    lines = text_lines(path)
    for number, line in lines:
        if not line.strip():
            continue
        if may_be_array and line.lstrip().startswith("["):
            elements = _parsed(_joined(path, line, lines), f"{path}", schema)
            yield from ((f"{path}, row {row}", one) for row, one in enumerate(elements, start=1))
            return
        may_be_array = False
        yield f"{path}:{number}", _parsed(line, f"{path}:{number}", schema)


def _joined(path: Path, first: str, lines: Iterable[tuple[int, str]]) -> str:
    """A whole file that is one array, within the bound of a line."""
    parts, size = [first], len(first)
    for _, line in lines:
        parts.append(line)
        if (size := size + len(line)) > LONGEST_LINE:
            raise DataError(
                f"{path}: one array of more than {LONGEST_LINE >> 20} MiB: write one object per "
                "line (.jsonl)"
            )
    return "".join(parts)


def _parsed(text: str, where: str, schema: Schema) -> Any:
    repeated = [name for name in schema if text.count(f'"{name}"') > 1]

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            names = [name for name, _ in pairs]
            for name in repeated:
                if names.count(name) > 1:
                    raise DataError(f"{where}: two fields {name!r} in one object: remove one")
        return made

    try:
        # The hook makes parsing slower, so only where a field may be there twice.
        return json.loads(text, object_pairs_hook=once if repeated else None)
    except RecursionError as error:
        raise DataError(f"{where}: nested too deeply: write flat objects") from error
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({_why(error)}): write one object per line") from error


def _checked(row: Any, name: str, kind: str, where: str) -> Value:
    """The field ``name`` of an object."""
    value = row.get(name) if isinstance(row, dict) else None
    if value is None and isinstance(row, dict) and name in row:
        return None
    if kind == "class" and isinstance(value, int):
        return class_name(value)
    if kind != "number" and isinstance(value, str):
        # JSON can encode half a surrogate pair, which is not text and which tokenizers reject.
        return value.encode("utf-8", "replace").decode("utf-8")
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):  # a whole number of hundreds of digits
            return float(value)
    example = "1" if kind == "number" else '"..."'
    raise DataError(
        f'{where}: no {ONE[kind]} in the field "{name}"{_instead(row, name)}: write '
        f'{{"{name}": {example}}}'
    )


def _instead(row: Any, name: str) -> str:
    """What is there in place of a field of the kind that is wanted."""
    if not isinstance(row, dict):
        return f", but {_shown(row)} in place of an object"
    if name in row:
        return f", but {_shown(row[name])}"
    return f" (its fields: {_cut(', '.join(row)) or 'none'})"


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _why(error: ValueError) -> str:
    """What is wrong and where in the line, or in the array from its first line on."""
    if not isinstance(error, json.JSONDecodeError):  # a number of thousands of digits
        return _cut(str(error))
    text = error.doc.rstrip()
    before = text[: error.pos]
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return f"{error.msg}, {f'line {line}, ' if line > 1 else ''}column {column}"
