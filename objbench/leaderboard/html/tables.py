"""A table of a document as HTML: its columns sort, and intervals are drawn in a column of bars.

A heading is a button in a cell that carries ``aria-sort``; the script does the sorting by the values
in ``data-v``. A missing value has none, and comes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from objbench.judge.formatting import DASH
from objbench.leaderboard.document import Cell, Inline, Link, Strong, Table, Text
from objbench.leaderboard.html.intervals import Scale, bar, scale_bar
from objbench.leaderboard.html.markup import Child, Html, element, escaped, joined, number, slug
from objbench.leaderboard.quantity import Quantity

_NUMBER = re.compile(r"^[<>]?\s?([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)")
_FEWEST_SORTED = 3
# A text of more signs is a sentence, which needs room for some words side by side.
_LONG = 40

Writer = Callable[[Cell], Html]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """A column of numbers that is drawn too, in a column of its own at its right.

    Attributes:
        column: its title.
        scale: common to all rows.
        title: of the drawn column.
    """

    column: str
    scale: Scale
    title: str = "interval"


def table_html(
    table: Table,
    caption: str,
    *,
    bars: Bars | None = None,
    written: Mapping[str, Writer] | None = None,
    rows: Sequence[Mapping[str, str]] = (),
    named_by: int = 0,
) -> Html:
    """The table, in a region that scrolls by itself where the page is narrower.

    Args:
        table: the values.
        caption: what it shows, for those who hear it; also the name of its download.
        bars: which column is drawn too.
        written: titles -> how their cells are written, if not as everywhere.
        rows: attributes of the rows; none when empty.
        named_by: the column that names the rows.
    """
    is_sorted = len(table.rows) >= _FEWEST_SORTED
    heads = [
        _head(title, is_sorted, is_text=place < table.text_columns)
        for place, title in enumerate(table.columns)
    ]
    drawn = table.columns.index(bars.column) if bars and bars.column in table.columns else None
    if bars is not None and drawn is not None:
        hidden = element("span", f"{bars.title}, drawn", class_="hidden")
        heads.insert(
            drawn + 1,
            element(
                "th", hidden, scale_bar(bars.scale), scope="col", class_="bar", data_drawn=True
            ),
        )
    lines = []
    for place, row in enumerate(table.rows):
        cells = [
            _cell(
                cell,
                title,
                written or {},
                is_name=position == named_by,
                is_text=position < table.text_columns,
            )
            for position, (title, cell) in enumerate(zip(table.columns, row, strict=True))
        ]
        if bars is not None and drawn is not None:
            found = row[drawn]
            inner = bar(found, bars.scale) if isinstance(found, Quantity) else None
            cells.insert(drawn + 1, element("td", inner, class_="bar", data_drawn=True))
        attributes = rows[place] if rows else {}
        lines.append(element("tr", *cells, **attributes))
    whole = element(
        "table",
        element("caption", caption, class_="hidden"),
        element("thead", element("tr", *heads)),
        element("tbody", *lines),
    )
    region = element("div", whole, class_="scroll", role="group", aria_label=caption, tabindex="0")
    return element("div", region, class_="table", data_table=slug(caption))


def inline(text: Text) -> Html:
    """Text with its emphasis and links."""
    if isinstance(text, tuple):
        return joined(*(_inline(part) for part in text))
    return _inline(text)


def _inline(part: Inline) -> Html:
    match part:
        case Strong(inner):
            return element("strong", inner)
        case Link(inner, address):
            # A path may be foreign, and must not be taken for a scheme such as "javascript:".
            is_url = address.startswith("https://")
            href = address if is_url else f"./{address}"
            return element("a", inner, href=href, rel="noreferrer" if is_url else None)
        case _:
            return escaped(part)


def _head(title: str, is_sorted: bool, *, is_text: bool) -> Html:
    inner: Child = element("button", title, type="button") if is_sorted else title
    return element(
        "th",
        inner,
        scope="col",
        class_=None if is_text else "n",
        aria_sort="none" if is_sorted else None,
    )


def _cell(
    cell: Cell, title: str, written: Mapping[str, Writer], *, is_name: bool, is_text: bool
) -> Html:
    inner = written[title](cell) if title in written else quantity_html(cell)
    value = sort_value(cell)
    shown = None if value is None else number(value, 9)
    if is_name:
        return element("th", inner, scope="row", data_v=shown)
    kind = "bands" if title in written else None if is_text else "n"
    if is_text and isinstance(cell, str) and len(cell) > _LONG:
        kind = "long"
    return element("td", inner, class_=kind, data_v=shown)


def quantity_html(cell: Cell) -> Html:
    """A cell as everywhere: an interval is smaller than what it is of."""
    if cell is None:
        return element("span", DASH, class_="none")
    if not isinstance(cell, Quantity):
        return inline(cell)
    head, between, tail = cell.text.partition(" [")
    if cell.low is None or not between:
        return escaped(cell.text)
    return joined(head, element("span", f" [{tail}", class_="ci"))


def sort_value(cell: Cell) -> float | None:
    """What a column is sorted by: a number, or one that a text begins with; None for other text."""
    if isinstance(cell, Quantity):
        return cell.estimate.value
    if isinstance(cell, str) and (found := _NUMBER.match(cell)):
        return float(found[1].replace(",", ""))
    return None
