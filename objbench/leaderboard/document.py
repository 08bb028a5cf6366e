"""A page as data: headings, paragraphs, tables of values, pictures. A renderer turns it into text.

Nothing here knows a format. Text is plain and unescaped; what is emphasised or linked says so by
its type. A table's cell is text, a ``Quantity`` (a number with its interval and its notation), or
None for a missing value, so that a renderer for HTML, LaTeX or CSV needs no number parsed back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from objbench.errors import one_line
from objbench.leaderboard.quantity import Quantity

_LONGEST = 240


@dataclass(frozen=True, slots=True)
class Strong:
    """Emphasised text."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """Text that leads to an address, which is relative to the page or a URL."""

    text: str
    address: str


Inline = str | Strong | Link
Text = Inline | tuple[Inline, ...]
Cell = Text | Quantity | None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the page's title."""

    level: int
    text: Text


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of text."""

    text: Text


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of points; one that is a list itself belongs to the point before it."""

    items: tuple[Text | Bullets, ...]


@dataclass(frozen=True, slots=True)
class Notes:
    """Numbered footnotes, referred to by their mark; see ``mark``."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of values.

    Attributes:
        columns: the titles.
        rows: one cell per column each.
        text_columns: how many columns at the left hold text; the others hold numbers.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text_columns: int = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture beside the page.

    Attributes:
        alt: what it shows, in words.
        file: its name.
    """

    alt: str
    file: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines to be shown as they are, such as a command."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A remark that a reader of the rendered page does not see."""

    text: str


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are shown when the reader asks for them."""

    title: str
    blocks: Sequence[Block]


Block = Heading | Paragraph | Bullets | Notes | Table | Picture | Listing | Comment | Fold


def plain(text: Text) -> str:
    """Text without its emphasis and links."""
    parts = text if isinstance(text, tuple) else (text,)
    return "".join(part if isinstance(part, str) else part.text for part in parts)


def table(lines: Sequence[Mapping[str, Cell]], text_columns: int = 1) -> Table:
    """A table from one mapping of title -> cell per row; a column that a row lacks is missing.

    The columns come in the order in which the rows name them.
    """
    columns = tuple(dict.fromkeys(title for line in lines for title in line))
    rows = tuple(tuple(line.get(title) for title in columns) for line in lines)
    return Table(columns, rows, text_columns)


def bullets(items: Sequence[Text | Bullets]) -> list[Block]:
    """A list of points; nothing where there is none."""
    return [Bullets(tuple(items))] if items else []


def paragraph(*sentences: str) -> list[Block]:
    """The sentences that are not "" as one paragraph; nothing where there is none."""
    text = " ".join(sentence for sentence in sentences if sentence)
    return [Paragraph(text)] if text else []


def shortened(text: object, longest: int = _LONGEST) -> str:
    """``text`` on one line, cut at ``longest`` characters."""
    line = one_line(text)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def mark(number: int) -> str:
    """The mark of the footnote ``number``, counted from 1: superscript digits."""
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
