"""Files of canonical JSON lines: one record per line, and one form for the same records.

A line has sorted keys, no spaces, only ASCII and no NaN; lines are sorted by the record's id, then
key, then kind. So the same records give the same bytes, and a changed score is one changed line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from objbench.errors import RecordError
from objbench.results.json_files import parsed
from objbench.results.own_files import own_file

AGAIN = "restore the file, or publish again with `objbench leaderboard RUN --with-records`"

Fields = dict[str, Any]
Identity = tuple[str, str, str]

canonical_line = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":")).encode
"""A value as one line of JSON; a number that is not finite is a bug."""


def identity(fields: Fields) -> Identity:
    """What lines are sorted by and what no two lines of a file share."""
    return fields["id"], fields["key"], fields["kind"]


def by_rows(fields: Fields) -> str:
    """One JSON object as text: each value on a line of its own, and each item of a list."""
    parts = []
    for name in sorted(fields):
        value = fields[name]
        text = canonical_line(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(map(canonical_line, value)) + "\n]"
        parts.append(f"{canonical_line(name)}:{text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def digest(data: bytes) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def read_lines(path: Path, written: str) -> Iterator[tuple[str, Fields]]:
    """What each line holds, with "path:number" for messages; all is checked by the last line.

    Args:
        path: the file.
        written: its ``digest`` when it was written.

    Raises:
        RecordError: the file is missing, cut off or changed; or a line is not canonical, out of
            order or of the same cell as the one before.
    """
    try:
        data = own_file(path.parent, path.name).read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}; {AGAIN}") from error
    is_as_written = digest(data) == written
    *lines, rest = data.split(b"\n")
    if rest:
        raise RecordError(f"{path}:{len(lines) + 1}: the last line is cut off; {AGAIN}")
    before = ("", "", "")
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            fields = parsed(line)
            # Writing a line takes longer than reading it, so only a changed file is compared.
            is_canonical = is_as_written or canonical_line(fields).encode() == line
            this = identity(fields)
            is_later = before < this
        except (ValueError, TypeError, KeyError) as error:
            raise RecordError(f"{where}: not a record with id, key and kind; {AGAIN}") from error
        if not is_canonical:
            raise RecordError(f"{where}: not sorted keys without spaces; {AGAIN}")
        if this[0] == before[0]:
            raise RecordError(f"{where}: a second record of {this[0]}; {AGAIN}")
        if not is_later:
            raise RecordError(f"{where}: {this[0]} is not in the order of ids; {AGAIN}")
        before = this
        yield where, fields
    if not is_as_written:
        raise RecordError(f"{path} was changed after it was published; {AGAIN}")
