"""Folders that report when something in them was changed: each file's SHA-256 is stored beside it.

The seal is one more file, ``digests.json``, written as the last one while the folder is made. Its
own SHA-256 is the digest of the whole folder: whoever keeps that also notices that a folder was
replaced by another sealed one. A file is read once per process for this, and again only if its
size, its time of change or its inode is another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from objbench.results.own_files import own_file

SEAL = "digests.json"


class _File(NamedTuple):
    """What a file has to keep for its digest not to be computed again."""

    path: Path
    inode: int
    size: int
    changed: int


_known: dict[_File, str] = {}
"""The SHA-256 of the files that this process has read, in hex."""


def seal(folder: Path) -> str:
    """Store the digest of every file in ``folder``; returns the digest of the folder, in hex.

    Raises:
        OSError: a file cannot be read, or the seal cannot be written.
    """
    text = _seal_text(_digests(folder))
    (folder / SEAL).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def digest_of_files(folder: Path, names: Iterable[str]) -> str:
    """The digest, in hex, that ``folder`` would have if it held the files ``names`` alone.

    Raises:
        OSError: one cannot be read, or a link leads out of the folder.
    """
    files = {name: sha256_of(own_file(folder, name)) for name in names}
    return hashlib.sha256(_seal_text(files)).hexdigest()


def damages(folder: Path) -> list[str]:
    """All that is wrong with a sealed folder, one line each; the seal too is as ``seal`` wrote it."""
    text, found = _read(folder / SEAL), _digests(folder)
    if text == _seal_text(found):
        return []
    try:
        written = json.loads(text or b"")["files"]
        return list(_differences(written, found)) or [f"{SEAL} is not as it was written"]
    except (ValueError, KeyError, TypeError):
        return [f"{SEAL} is {'missing' if text is None else 'malformed'}"]


def damage(folder: Path, digest: str = "") -> str:
    """What is wrong with a sealed folder, in a few words; "" where nothing is.

    Args:
        folder: sealed when it was made.
        digest: what ``seal`` returned; "" where that is not known, and any whole seal will do.
    """
    try:
        text = (folder / SEAL).read_bytes()
        written = json.loads(text)["files"]
        found = _digests(folder)
        differences = list(_differences(written, found))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "malformed"
        return f"{Path(getattr(error, 'filename', None) or SEAL).name}: {reason}"
    if differences:
        return differences[0]
    if digest and hashlib.sha256(text).hexdigest() != digest:
        return "it was replaced by another"
    return ""


def file_digest(folder: Path, name: str) -> str:
    """The SHA-256 of the file ``name`` as the seal of ``folder`` has it, in hex.

    Raises:
        OSError, ValueError, KeyError: the folder is not sealed, or the file not part of it.
    """
    digest: str = json.loads((folder / SEAL).read_bytes())["files"][name]
    return digest


def _differences(written: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Where the digests of files that are there are not those that were written, by name."""
    for name in sorted({*written, *found}):
        if name not in found:
            yield f"{name} is missing"
        elif name not in written:
            yield f"{name} does not belong there"
        elif found[name] != written[name]:
            yield f"{name} is not what was written: its SHA-256 does not match"


def _seal_text(digests: Mapping[str, str]) -> bytes:
    return (json.dumps({"files": digests}, indent=1, sort_keys=True) + "\n").encode()


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _digests(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of the files in ``folder``; hidden ones belong to the system."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    return {
        path.relative_to(folder).as_posix(): sha256_of(path) for path in paths if path.name != SEAL
    }


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex; a file that has not changed is read once per process.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        status = path.stat()
        file = _File(path.resolve(), status.st_ino, status.st_size, status.st_mtime_ns)
        if file not in _known:
            _known[file] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _known[file]
