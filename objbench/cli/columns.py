"""Rows of words as columns, as wide as they are or wrapped to the terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

_GAP = "  "
_NARROWEST = 8
"""Characters that a column keeps, however many there are."""


def aligned(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Rows of words as columns; each line without spaces at its end.

    Args:
        rows: equally many words in each.
        width: characters of the longest line, to which the widest columns are wrapped; None for a
            line per row, however long.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = None if width is None else width - len(_GAP) * (len(widths) - 1)
    while room is not None and sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for row in rows:
        parts = [_wrapped(words, own) for words, own in zip(row, widths, strict=True)]
        for line in zip_longest(*parts, fillvalue=""):
            lines.append(_GAP.join(map(str.ljust, line, widths)).rstrip())
    return "\n".join(lines)


def for_terminal(rows: Sequence[Sequence[str]]) -> str:
    """The same, wrapped where stdout is a terminal; in a pipe a line per row."""
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    return aligned(rows, width)


def _wrapped(words: str, width: int) -> list[str]:
    if len(words) <= width:
        return [words]
    return textwrap.wrap(words, width, break_on_hyphens=True) or [""]
