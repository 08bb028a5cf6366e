"""Printing: whatever the terminal can show, whoever has closed the pipe."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TextIO

from objbench.errors import printable

_IN_ASCII = str.maketrans(
    {
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{PLUS-MINUS SIGN}": "+/-",
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    }
)


def open_closed_streams() -> None:
    """Open standard streams that were closed, as by ``objbench run ... >&-``, on the null device.

    Otherwise the next file opened would take their descriptor and receive what any library prints.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(nowhere, True)
    os.close(nowhere)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))


def say(text: str = "", *, end: str = "\n", file: TextIO | None = None, wrap: bool = False) -> None:
    """Print ``text``, at once.

    Signs that the terminal cannot show are replaced, control characters left out. Where the reader
    of a pipe has left, as in ``objbench leaderboard runs/demo | head``, the rest is not shown and
    no error: what the command was for has been done.

    Args:
        text: what to print.
        end: what comes after it.
        file: stdout unless given.
        wrap: break the lines of a terminal between words.
    """
    stream, text = sys.stdout if file is None else file, printable(text)
    if wrap and stream.isatty():
        width = shutil.get_terminal_size().columns - 1
        text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
    try:
        print(in_encoding_of(stream, text), end=end, file=stream, flush=True)
    except BrokenPipeError:
        # Python flushes once more at its end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def in_encoding_of(stream: TextIO, text: str) -> str:
    """``text`` with the signs that ``stream`` cannot encode replaced."""
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_IN_ASCII).encode(encoding, "replace").decode(encoding)
    return text
