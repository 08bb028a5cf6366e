"""Reads the documents of text, JSON-lines and parquet files, lazily and with located errors.

A ``.txt`` file holds one utterance, sentence or paragraph per line and a blank line between
documents; a document keeps its line breaks. ``.jsonl`` holds one object per line and ``.parquet``
one row per document. ``.txt`` and ``.jsonl`` may be compressed as ``.gz`` or ``.zst``.

However large a file is, memory holds one piece of it: a text without blank lines, or with a single
line, is cut into pieces of at most ``LONGEST_DOCUMENT``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from objbench.errors import DataError, one_line

if TYPE_CHECKING:
    import pyarrow.parquet

LONGEST_DOCUMENT = 65_536
"""Bytes of a text file, or characters of a record, after which a document is cut.

About 15,000 tokens: much longer than any sequence, and short enough to hold out 1% of a corpus
without document borders.
"""

BYTE_ORDER_MARK = "\ufeff"
KINDS = (".txt", ".jsonl", ".parquet")
PACKINGS = {".gz": "gzip", ".zst": "zstd"}
READABLE = "a corpus file ends in .txt, .jsonl (also with .gz or .zst) or .parquet"


def kind_of(path: Path) -> str | None:
    """The ending in KINDS that says how to read ``path``, or None for any other file."""
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in PACKINGS:
        endings.pop()
        return endings[-1] if endings and endings[-1] in KINDS[:2] else None
    return endings[-1] if endings and endings[-1] in KINDS else None


def read_documents(path: Path, column: str) -> Iterator[str]:
    """Yields the non-empty documents of one file, without white space around them.

    Args:
        path: a file whose ``kind_of`` is not None.
        column: the field (.jsonl) or column (.parquet) that holds the text.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or a record has no such text.
    """
    readers = {".txt": _text_documents, ".jsonl": _json_documents, ".parquet": _parquet_documents}
    reader = readers[kind_of(path) or ".txt"]
    try:
        for document in reader(path, column):
            for piece in pieces(document):
                if piece := piece.strip():
                    yield piece
    except OSError as error:  # raised for a damaged compressed file too
        reason = getattr(error, "strerror", None) or one_line(error)
        raise DataError(f"{path}: cannot be read ({reason}): check or replace the file") from error


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


def _lines(path: Path, limit: int = -1) -> Iterator[bytes]:
    """The lines of ``path`` with their ends; longer ones in parts of at most ``limit`` bytes."""
    import pyarrow as pa

    # Of the available readers only Arrow's reports a compressed file that is cut short.
    packing = PACKINGS.get(path.suffix.lower())
    unpacked = pa.input_stream(str(path), compression=packing)
    with BufferedReader(unpacked, 1 << 18) as stream:
        while line := stream.readline(limit):
            yield line


def _decode(raw: bytes, path: Path, offset: int, line: int) -> str:
    """``raw`` as text; an error names the byte and line of the file, given those of ``raw``."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        raise DataError(
            f"{path}:{line}: not UTF-8 at byte {offset + error.start} of the text "
            f"({error.reason}): convert the file to UTF-8"
        ) from error
    return text.removeprefix(BYTE_ORDER_MARK) if offset == 0 else text


def _text_documents(path: Path, _column: str) -> Iterator[str]:
    """The documents between blank lines, cut at a line or a space if they are too long."""
    held: list[bytes] = []
    size = offset = seen = 0

    def flush() -> Iterator[str]:
        nonlocal held, size, offset, seen
        raw = b"".join(held)
        if raw.strip():
            yield _decode(raw, path, offset, seen + 1)
        offset += len(raw)
        seen += raw.count(b"\n")
        held, size = [], 0

    for line in _lines(path, LONGEST_DOCUMENT):
        if size + len(line) > LONGEST_DOCUMENT and held:
            rest = _unfinished_word(held) if not held[-1].endswith(b"\n") else b""
            yield from flush()
            held, size = [rest], len(rest)
        held.append(line)
        size += len(line)
        if not line.strip():
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


def _json_documents(path: Path, field: str) -> Iterator[str]:
    """The text field of each object, one object per line."""
    offset = 0
    for number, raw in enumerate(_lines(path), start=1):
        line = _decode(raw, path, offset, number)
        offset += len(raw)
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{where}: not JSON ({one_line(error)}): write one object per line"
            ) from error
        text = record.get(field) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise DataError(f'{where}: no text in the field "{field}": write {{"{field}": "..."}}')
        # JSON can encode half a surrogate pair, which is not text and which tokenizers reject.
        yield text.encode("utf-8", "replace").decode("utf-8")


def _parquet_documents(path: Path, column: str) -> Iterator[str]:
    """The rows of a string column, without null rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            _check_column(table, path, column)
            for batch in table.iter_batches(batch_size=512, columns=[column]):
                yield from (text for text in batch.column(0).to_pylist() if text is not None)
    except pa.ArrowException as error:
        raise DataError(
            f"{path}: not a readable parquet file ({one_line(error)}): check or replace it"
        ) from error


def _check_column(table: pyarrow.parquet.ParquetFile, path: Path, column: str) -> None:
    """Raises DataError unless ``table`` has the string column ``column``."""
    schema = table.schema_arrow
    if column not in schema.names:
        known = ", ".join(schema.names)
        raise DataError(f'{path}: no column "{column}" (columns: {known}): rename the text column')
    if (kind := str(schema.field(column).type)) not in {"string", "large_string", "string_view"}:
        raise DataError(f'{path}: column "{column}" holds {kind}, not string: convert it')
