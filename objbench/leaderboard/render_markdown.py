"""A document as GitHub's markdown: the only module that knows its syntax."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import indent
from urllib.parse import quote

from tabulate import tabulate

from objbench.errors import printable
from objbench.judge.formatting import DASH
from objbench.leaderboard.document import (
    Block,
    Bullets,
    Cell,
    Comment,
    Fold,
    Heading,
    Link,
    Listing,
    Notes,
    Paragraph,
    Picture,
    Strong,
    Table,
    Text,
    mark,
)
from objbench.leaderboard.quantity import Quantity

# Not the underscore: inside words it means nothing to GitHub, and names are full of it. Brackets
# around numbers are intervals and no links, and "< 1" and "> 1" are no tags.
_MARKUP = re.compile(r"[\\`*|$]|\[(?![-+<>]?\s?\d)|\](?=[(\[])|(?<=\d)\](?=:)")
_BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_IN_ADDRESSES = ":/?#@!$&'*+,;=%~"
# What makes a line a heading, an item, a rule or a fence, and not a paragraph.
_LINE_START = re.compile(
    r"^(\d{1,9}(?=[.)](\s|$))|(?=#{1,6}(\s|$)|[-+](\s|$)|=+$|--+$|__+\s*$|~~~|>))"
)
_ENTITIES = (("&", "&amp;"), (r"<(?!\s?\d)", "&lt;"), (r">(?!\s?\d)", "&gt;"))


def render_markdown(document: Sequence[Block]) -> str:
    """The document as markdown, with a newline at its end."""
    return "\n\n".join(_block(block) for block in document) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_text(text)}"
        case Paragraph(text):
            return _line(text)
        case Bullets(items):
            return "\n".join(
                indent(_block(item), "  ") if isinstance(item, Bullets) else f"- {_line(item)}"
                for item in items
            )
        case Notes(items):
            lines = (f"{mark(number)} {escaped(note)}" for number, note in enumerate(items, 1))
            return "<sub>" + "<br>\n".join(lines) + "</sub>"
        case Table():
            return _table(block)
        case Picture(alt, file):
            return f"![{escaped(alt)}]({_address(file)})"
        case Listing(language, text):
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
            return f"{fence}{language}\n{printable(text)}\n{fence}"
        case Comment(text):
            return f"<!-- {text} -->"
        case Fold(title, blocks):
            inner = "\n\n".join(_block(inside) for inside in blocks)
            return f"<details><summary>{escaped(title)}</summary>\n\n{inner}\n\n</details>"


def _line(text: Text) -> str:
    """Text that begins a line, where signs have a meaning that they have nowhere else."""
    return _LINE_START.sub(r"\1\\", _text(text).lstrip(), count=1)


def _address(address: str) -> str:
    """A URL, or a path relative to the page, whose name may be foreign and is no scheme."""
    is_url = address.startswith("https://")
    return quote(address, safe=_IN_ADDRESSES if is_url else "/")


def _table(block: Table) -> str:
    """A pipe table, its columns padded to one width so that the source can be read too."""
    return tabulate(
        [[_cell(cell) for cell in row] for row in block.rows],
        [escaped(title) for title in block.columns],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=[
            "left" if number < block.text_columns else "right"
            for number in range(len(block.columns))
        ],
    )


def _cell(cell: Cell) -> str:
    if cell is None:
        return DASH
    return escaped(cell.text) if isinstance(cell, Quantity) else _text(cell)


def _text(text: Text) -> str:
    match text:
        case str():
            return escaped(text)
        case Strong(inner):
            return f"**{escaped(inner)}**"
        case Link(inner, address):
            return f"[{escaped(inner)}]({_address(address)})"
        case _:
            return "".join(_text(part) for part in text)


def escaped(text: str) -> str:
    """``text`` on one line, with nothing that markdown would act on."""
    text = printable(_BREAKS.sub(" ", text))
    text = _MARKUP.sub(r"\\\g<0>", text)
    for pattern, entity in _ENTITIES:
        text = re.sub(pattern, entity, text)
    return text
