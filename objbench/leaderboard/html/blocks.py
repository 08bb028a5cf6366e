"""Blocks of a document as HTML: what the page has in common with the page of markdown.

A picture is in the page itself; where the page has a figure of its own, made from the same numbers,
it is left out.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence

from objbench.leaderboard.document import (
    Block,
    Bullets,
    Comment,
    Fold,
    Heading,
    Listing,
    Notes,
    Paragraph,
    Picture,
    Table,
    Text,
    plain,
)
from objbench.leaderboard.html.markup import Html, element, joined, listing
from objbench.leaderboard.html.tables import inline, table_html


def blocks_html(
    blocks: Sequence[Block], title: str, pictures: Mapping[str, bytes] | None = None
) -> Html:
    """The blocks one after the other.

    Args:
        title: what they are about; a table without a heading before it is called so.
        pictures: file name -> the SVG to be shown; others are left out.
    """
    found = []
    for block in blocks:
        if isinstance(block, Heading):
            title = plain(block.text)
        found.append(_block(block, title, pictures or {}))
    return joined(*found)


def fold_html(title: str, *inner: Html, is_open: bool = False) -> Html:
    """What is shown when the reader asks for it."""
    return element("details", element("summary", title), *inner, open=is_open)


def _block(block: Block, title: str, pictures: Mapping[str, bytes]) -> Html:
    match block:
        case Heading(level, text):
            # A level that is skipped would be a section that a reader of headings looks for.
            return element(f"h{min(level, 3)}", inline(text))
        case Paragraph(text):
            return element("p", inline(text))
        case Bullets(items):
            return _bullets(items, title)
        case Notes(items):
            return element("ol", *(element("li", note) for note in items), class_="notes")
        case Table():
            return table_html(block, title)
        case Listing(_, text):
            return element("pre", element("code", listing(text)), tabindex="0")
        case Fold(name, inside):
            return fold_html(name, blocks_html(inside, name, pictures))
        case Picture(alt, file) if file in pictures:
            encoded = b64encode(pictures[file]).decode()
            return element("img", src=f"data:image/svg+xml;base64,{encoded}", alt=alt)
        case Picture() | Comment():
            return Html()


def _bullets(items: Sequence[Text | Bullets], title: str) -> Html:
    found: list[Html] = []
    for item in items:
        if isinstance(item, Bullets):
            # It belongs to the point before it.
            before = found.pop() if found else Html()
            found.append(joined(before, _bullets(item.items, title)))
        else:
            found.append(inline(item))
    return element("ul", *(element("li", item) for item in found))
