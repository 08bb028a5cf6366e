"""The lines of a file, whatever it is packed with, as bytes or as text of bounded length.

A line ends at a line feed and nowhere else: U+2028, U+0085 and other characters that Python's
``splitlines`` breaks at are part of the text. Text is UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from objbench.errors import DataError, one_line

LONGEST_LINE = 64 << 20
"""Bytes of a line that holds a record; a longer one is an error, so that memory is bounded.

Ten times the longest book; a small compressed file can unpack to a line of any length.
"""

BYTE_ORDER_MARK = "\ufeff"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
PACKINGS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}


def endings_of(path: Path) -> tuple[list[str], str | None]:
    """(the endings of the name in lower case, without that of a packing; the packing or None)."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in PACKINGS:
        return endings[:-1], PACKINGS[endings[-1]]
    return endings, None


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns what reading ``path`` may raise into a DataError that names it."""
    try:
        yield
    except (OSError, EOFError, lzma.LZMAError) as error:  # for a damaged compressed file too
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{path}: cannot be read ({reason}): check or replace the file") from error


def line_parts(path: Path, limit: int) -> Iterator[bytes]:
    """The lines of ``path`` with their ends; longer ones in parts of at most ``limit`` bytes.

    Raises:
        DataError: the file cannot be read, or is damaged or cut short.
    """
    with read_errors(path), _unpacked(path) as stream:
        while line := stream.readline(limit):
            yield line


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text with its end) of every line.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or a line is longer than LONGEST_LINE.
    """
    offset = 0
    for number, raw in enumerate(line_parts(path, LONGEST_LINE + 1), start=1):
        if len(raw) > LONGEST_LINE:
            raise DataError(
                f"{path}:{number}: the line is longer than {LONGEST_LINE >> 20} MiB: put one "
                "document in a line, or split this one"
            )
        yield number, decode(raw, path, offset, number)
        offset += len(raw)


def decode(raw: bytes, path: Path, offset: int, line: int) -> str:
    """``raw`` as text, without a byte order mark at the start of the file.

    Args:
        raw: bytes of ``path``.
        path: for errors.
        offset: where in the file, unpacked, ``raw`` starts.
        line: number of the line in which it starts.

    Raises:
        DataError: it is not UTF-8; the message names the byte and line of the file.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        is_wide = offset == 0 and raw.startswith(UTF_16_MARKS)
        reason = "it begins as UTF-16 does" if is_wide else error.reason
        raise DataError(
            f"{path}:{line}: not UTF-8 at byte {offset + error.start} of the text "
            f"({reason}): convert the file to UTF-8"
        ) from error
    if offset == 0 and text.count("\0") > len(text) // 4:
        raise DataError(
            f"{path}:{line}: a zero byte in every few (UTF-16 without a mark, or no text): "
            "convert the file to UTF-8"
        )
    return text.removeprefix(BYTE_ORDER_MARK) if offset == 0 else text


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    packing = endings_of(path)[1]
    if packing == "xz":
        with lzma.open(path) as stream:
            yield cast(BinaryIO, stream)
        return
    import pyarrow as pa

    # Of the available readers only Arrow's reports a compressed file that is cut short.
    unpacked = pa.input_stream(str(path), compression=packing)
    with BufferedReader(unpacked, 1 << 18) as buffered:
        yield cast(BinaryIO, buffered)
