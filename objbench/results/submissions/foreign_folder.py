"""A folder that a stranger sent: what may be in it is copied, and everything else is named.

Nothing is read through a link, nothing that is no ordinary file is opened, nothing is read beyond
its limit, and nothing is run. Whatever is done afterwards is done with the copy, which nobody else
can change meanwhile.

Layout of the folder::

    plan.json, sources.json, <kind>.jsonl, logs.jsonl    the study, as ``published_study`` writes it
    overhead.json, lines.json                            the same, where they were measured
    statement.json                                       what ran where; see ``statement``
    plugins/<digest>/<module>.py                         sources of plugins that objbench lacks
    digests.json                                         the SHA-256 of each file above
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from objbench.errors import ConfigError, one_line
from objbench.results.atomic_files import whole_file
from objbench.results.own_files import own_file
from objbench.results.published_study import KINDS, LOGS
from objbench.results.sealed_folder import SEAL

STATEMENT = "statement.json"
PLUGINS = "plugins"

OF_STUDY = frozenset(
    {"plan.json", "sources.json", "overhead.json", "lines.json"}
    | {f"{name}.jsonl" for name in (*KINDS, LOGS)}
)
"""The files of the study itself."""

MOST_FILES = 2000
MOST_BYTES = 256 * 2**20
LARGEST = 64 * 2**20
LARGEST_SOURCE = 2**20
_DEEPEST = 12

_SOURCE = re.compile(rf"{PLUGINS}/[0-9a-f]{{64}}/(?:[A-Za-z_]\w*/)*[A-Za-z_]\w*\.py", re.ASCII)


def take_in(folder: Path, into: Path) -> list[str]:
    """Copy what may be in a submission from ``folder`` to ``into``; returns what may not, one line each.

    Args:
        folder: from a stranger; may be a link itself, since the user has named it.
        into: an empty folder of this user alone.

    Raises:
        ConfigError: ``folder`` is no folder, or cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name one made by `objbench submit`")
    faults: list[str] = []
    left, files = MOST_BYTES, 0
    try:
        for name, fault in _entries(folder):
            files += 1
            if files > MOST_FILES:
                faults.append(f"there are more than {MOST_FILES:,} files")
                break
            if fault:
                faults.append(f"{one_line(_readable(name))[:200]} {fault}")
                continue
            limit = LARGEST_SOURCE if name.startswith(PLUGINS) else LARGEST
            content, fault = _content(folder / name, min(limit, left))
            if fault:
                faults.append(f"{name} {fault}")
                continue
            left -= len(content)
            path = into / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}") from error
    return faults


def sent_files(folder: Path) -> list[str]:
    """The names of all files in ``folder`` that were sent; on a board there are others beside them."""
    names = [name for name in (*OF_STUDY, STATEMENT) if (folder / name).exists()]
    sources = (path for path in (folder / PLUGINS).rglob("*.py") if path.is_file())
    return sorted([*names, *(path.relative_to(folder).as_posix() for path in sources)])


def copy_sent(folder: Path, into: Path) -> None:
    """Copy all that was sent from ``folder``, byte for byte, in place of another study in ``into``.

    Raises:
        OSError: a file cannot be read or written, or a link leads out of ``folder``.
    """
    for older in sent_files(into):
        (into / older).unlink()
    for name in sent_files(folder):
        content = own_file(folder, name).read_bytes()
        with whole_file(into / name) as file:
            file.write(content)


def _entries(folder: Path, below: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    """The path of everything in ``folder`` that is no folder, and why it may not be there or ""."""
    with os.scandir(folder / below) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = f"{below}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            yield name, "is a link: put the file itself there"
        elif stat.S_ISDIR(status.st_mode):
            if name != PLUGINS and not below:
                yield f"{name}/", "does not belong in a submission"
            elif depth >= _DEEPEST:
                yield f"{name}/", f"is deeper than {_DEEPEST} folders"
            else:
                yield from _entries(folder, f"{name}/", depth + 1)
        elif not stat.S_ISREG(status.st_mode):
            yield name, "is no ordinary file"
        elif name in OF_STUDY or name in (STATEMENT, SEAL) or _SOURCE.fullmatch(name):
            yield name, ""
        else:
            yield name, "does not belong in a submission"


def _readable(name: str) -> str:
    """A file's name with the bytes that are no text written out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _content(path: Path, limit: int) -> tuple[bytes, str]:
    """(what is in an ordinary file, why it was not read or "")."""
    try:
        # Since it was listed it may have been replaced by a link, or by a pipe that never ends.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b"", "is no ordinary file"
        content = file.read(limit + 1)
    if len(content) > limit:
        return b"", f"is larger than the {limit:,} bytes that are read of it"
    return content, ""
