"""Reads the documents of text, JSON, CSV, parquet and WikiExtractor files, lazily.

A ``.txt`` file holds one utterance, sentence or paragraph per line and a blank line between
documents; a document keeps its line breaks. ``.jsonl`` (``.ndjson``, ``.json``) holds one object
per line, and ``.csv`` and ``.parquet`` one row per document. WikiExtractor's files ``wiki_00`` hold
``<doc ...>`` to ``</doc>``, or JSON lines. All but ``.parquet`` may be compressed as ``.gz``,
``.zst``, ``.bz2`` or ``.xz``.

However large a file is, memory holds one piece of it: a text without blank lines, or with a single
line, is cut into pieces of at most ``LONGEST_DOCUMENT``, and a record is at most ``LONGEST_LINE``
bytes long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from objbench.data.file_lines import decode, endings_of, line_parts, text_lines
from objbench.data.table_files import FORMATS, format_of, read_rows
from objbench.errors import DataError

LONGEST_DOCUMENT = 65_536
"""Bytes of a text file, or characters of a record, after which a document is cut.

About 15,000 tokens: much longer than any sequence, and short enough to hold out 1% of a corpus
without document borders.
"""

READABLE = (
    f"a corpus file ends in .txt, {', '.join(list(FORMATS)[:-1])} (also with .gz, .zst, .bz2 or "
    ".xz) or .parquet, or is WikiExtractor's wiki_00"
)

_WIKI = re.compile(r"wiki_\d+", re.IGNORECASE)
_WIKI_HEAD = re.compile(r"\A\s*<doc\b[^\n]*>\r?\n")
_WIKI_TAIL = re.compile(r"\s*</doc>\s*\Z")


def kind_of(path: Path) -> str | None:
    """How ``path`` is read by its name: "text", "wiki", a table's format, or None for not."""
    endings, _ = endings_of(path)
    if not endings:
        return "wiki" if _WIKI.fullmatch(path.name.split(".")[0]) else None
    return "text" if endings[-1] == ".txt" else format_of(path)


def read_documents(path: Path, column: str) -> Iterator[str]:
    """Yields the non-empty documents of one file, without white space around them.

    Text without document borders comes in pieces; records come whole, see ``pieces``.

    Args:
        path: a file whose ``kind_of`` is not None.
        column: the field or column that holds the text.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or a record has no such text.
    """
    kind = kind_of(path)
    if kind == "wiki":
        kind = "json lines" if _starts_with_object(path) else kind
    if kind == "text":
        found = _text_documents(path, lambda line: not line.strip())
    elif kind == "wiki":
        found = _wiki_documents(path)
    else:
        rows = read_rows(path, {column: "text"})
        found = (str(text) for (text,) in rows if text is not None)
    if kind in ("text", "wiki"):
        found = (piece for text in found for piece in pieces(text))
    return (document for text in found if (document := text.strip()))


def why_no_table(path: Path, column: str) -> str | None:
    """Why a ``.json`` file found in a folder is no part of a corpus, or None if it is one.

    The ending is that of metadata too (``dataset_info.json``), so the first row decides.
    """
    try:
        next(read_rows(path, {column: "text"}), None)
    except DataError:
        return f'no objects with the text "{column}"'
    return None


def pieces(document: str) -> Iterator[str]:
    """``document`` itself, or its pieces of at most LONGEST_DOCUMENT characters, cut at a space."""
    start = 0
    while len(document) - start > LONGEST_DOCUMENT:
        end = start + LONGEST_DOCUMENT
        cut = max(document.rfind("\n", start, end), document.rfind(" ", start, end))
        end = cut if cut > start else end
        yield document[start:end]
        start = end
    yield document[start:] if start else document


def _starts_with_object(path: Path) -> bool:
    first = next((line for _, line in islice(text_lines(path), 16) if line.strip()), "")
    return first.lstrip().startswith("{")


def _wiki_documents(path: Path) -> Iterator[str]:
    """The articles, each with its title as the first line, without the tags around them."""
    for number, text in enumerate(_text_documents(path, lambda line: line.strip() == b"</doc>")):
        if not number and not _WIKI_HEAD.match(text):
            raise DataError(
                f"{path}:1: no <doc ...> and no JSON object, as WikiExtractor writes: name the "
                "file .txt or .jsonl if it is one"
            )
        yield _WIKI_TAIL.sub("", _WIKI_HEAD.sub("", text, count=1), count=1)


def _text_documents(path: Path, ends: Callable[[bytes], bool]) -> Iterator[str]:
    """The documents up to lines that are ends, cut at a line or a space if they are too long."""
    held: list[bytes] = []
    size = offset = seen = 0

    def flush() -> Iterator[str]:
        nonlocal held, size, offset, seen
        raw = b"".join(held)
        if raw.strip():
            yield decode(raw, path, offset, seen + 1)
        offset += len(raw)
        seen += raw.count(b"\n")
        held, size = [], 0

    for line in line_parts(path, LONGEST_DOCUMENT):
        if size + len(line) > LONGEST_DOCUMENT and held:
            rest = _unfinished_word(held) if not held[-1].endswith(b"\n") else b""
            yield from flush()
            held, size = [rest], len(rest)
        held.append(line)
        size += len(line)
        if ends(line):
            yield from flush()
    yield from flush()


def _unfinished_word(held: list[bytes]) -> bytes:
    """Removes the incomplete word, or character, from the end of a partial line; returns it."""
    last = held[-1]
    cut = last.rfind(b" ") + 1 or len(last)
    if cut == len(last):
        while cut > 1 and last[cut - 1] & 0xC0 == 0x80:  # inside a character
            cut -= 1
        if last[cut - 1] >= 0xC0:
            cut -= 1
    held[-1] = last[:cut]
    return last[cut:]
