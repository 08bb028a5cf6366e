"""The tables of a page as files: CSV, LaTeX and JSON, with the numbers as they were computed.

A table is called by the headings above it, with its number on the page before its name. In a CSV file
a number and the ends of its interval have a column each; what a page says beyond them, that it is a
bound or of which seeds, is in a column of text. Footnotes are spelled out in the rows that refer to
them; in LaTeX they are comments below the table.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tabulate import tabulate

from objbench.errors import one_line
from objbench.judge.formatting import DASH
from objbench.leaderboard.document import Block, Cell, Fold, Heading, Notes, Table, plain
from objbench.leaderboard.quantity import Quantity


class Named(NamedTuple):
    """A table, what it is called, and the footnotes that its cells refer to by their marks."""

    name: str
    table: Table
    notes: tuple[str, ...] = ()


_ONLY_MARKS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹ ]+")
_MARKS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LONGEST_NAME = 80
# What a spreadsheet would take for a formula; a number with its sign is none.
_FORMULA = re.compile(r"[=@\t]|[-+](?![\d.])")
# The sign of a number, and no hyphen of a name, a date or an exponent.
_MINUS = re.compile(r"(?<![\w.@-])-(?=\.?\d)")


def named_tables(blocks: Sequence[Block], above: str = "") -> Iterator[Named]:
    """Every table of a document with what it is called.

    Args:
        above: the title of the fold that the blocks are in.
    """
    heading = ""
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        match block:
            case Heading(_, text):
                heading = plain(text)
            case Fold(title, inside):
                yield from named_tables(inside, title)
            case Table():
                name = " ".join(part for part in (above, heading) if part)
                yield Named(name, block, after.items if isinstance(after, Notes) else ())


def table_files(blocks: Sequence[Block], kind: str) -> dict[str, str]:
    """File name -> contents, one file per table.

    Args:
        kind: "csv" or "tex".
    """
    write = {"csv": csv_text, "tex": latex_text}[kind]
    return {
        f"{number:02d}-{_slug(found.name)}.{kind}": write(found.table, found.notes)
        for number, found in enumerate(named_tables(blocks), 1)
    }


def csv_text(table: Table, notes: Sequence[str] = ()) -> str:
    """A table as CSV, a missing value as an empty field."""
    table = _spelled(table, notes)
    columns = [_csv_columns(title, _column(table, i)) for i, title in enumerate(table.columns)]
    titles = [title for column in columns for title in column]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_safe(title) for title in titles])
    for place in range(len(table.rows)):
        writer.writerow([values[place] for column in columns for values in column.values()])
    return buffer.getvalue()


def latex_text(table: Table, notes: Sequence[str] = ()) -> str:
    """A table as LaTeX, for the package booktabs, with its numbers as on the page."""
    made = tabulate(
        [[_text(cell) or DASH for cell in row] for row in table.rows],
        [one_line(title) for title in table.columns],
        tablefmt="latex_booktabs",
        disable_numparse=True,
        colalign=[
            "left" if place < table.text_columns else "right" for place in range(len(table.columns))
        ],
    )
    below = [f"% {number} {one_line(note)}" for number, note in enumerate(notes, 1)]
    return "\n".join([_MINUS.sub("$-$", made), *below, ""])


def json_text(blocks: Sequence[Block], study: str) -> str:
    """All tables as JSON: a number with its interval is an object, a missing value null."""
    found = [(one.name, _spelled(one.table, one.notes)) for one in named_tables(blocks)]
    tables = [
        {
            "title": one_line(name),
            "columns": list(table.columns),
            "rows": [dict(zip(table.columns, map(_json, row), strict=True)) for row in table.rows],
        }
        for name, table in found
    ]
    whole = {"study": study, "tables": tables}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _spelled(table: Table, notes: Sequence[str]) -> Table:
    """``table`` with the footnotes themselves in place of their marks."""

    def spelled(cell: Cell) -> Cell:
        if not notes or not isinstance(cell, str) or not _ONLY_MARKS.fullmatch(cell):
            return cell
        return " ".join(notes[int(number) - 1] for number in cell.translate(_MARKS).split())

    return replace(table, rows=tuple(tuple(map(spelled, row)) for row in table.rows))


def _csv_columns(title: str, cells: Sequence[Cell]) -> Mapping[str, list[str]]:
    """The columns of a file that a column of a table is written to."""
    found = [cell for cell in cells if isinstance(cell, Quantity)]
    if not found:
        return {title: [_safe(_text(cell)) for cell in cells]}
    columns = {title: [_value(cell, "estimate") for cell in cells]}
    if any(cell.low is not None for cell in found):
        columns[f"{title} low"] = [_value(cell, "low") for cell in cells]
        columns[f"{title} high"] = [_value(cell, "high") for cell in cells]
    is_plain = all(not cell.note and not _sides(cell) for cell in found)
    if not is_plain or any(isinstance(cell, str | tuple) for cell in cells):
        columns[f"{title} text"] = [_safe(_text(cell)) for cell in cells]
    return columns


def _column(table: Table, place: int) -> list[Cell]:
    return [row[place] for row in table.rows]


def _value(cell: Cell, name: str) -> str:
    bound = getattr(cell, name) if isinstance(cell, Quantity) else None
    return "" if bound is None else repr(float(bound.value))


def _sides(cell: Quantity) -> bool:
    return any(bound.side for bound in (cell.estimate, cell.low, cell.high) if bound is not None)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    text = cell.text if isinstance(cell, Quantity) else plain(cell)
    return one_line(text).translate(_MARKS)


def _json(cell: Cell) -> Any:
    if not isinstance(cell, Quantity):
        return None if cell is None else _text(cell)
    ends = {"estimate": cell.estimate, "low": cell.low, "high": cell.high}
    found: dict[str, Any] = {}
    for name, bound in ends.items():
        found[name] = None if bound is None else bound.value
        if bound is not None and bound.side:
            found[f"{name}_side"] = bound.side
    return found | {"notation": cell.notation, "text": _text(cell)}


def _safe(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_NAME] or "table"
