"""The files of a corpus: which are trained on, which are held out, and which are not read and why.

Every file that a folder or glob names is in one of these three, and ``CorpusFiles.summary`` reports
them in one line. Each content is read once, however many names, links or packings it has.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from objbench.data.document_files import READABLE, kind_of, why_no_table
from objbench.data.file_lines import PACKINGS
from objbench.data.file_roles import HELDOUT_ROLES, Role, role_of
from objbench.data.shards import shards_of
from objbench.errors import DataError

NAMED = 3
"""Files that a summary names of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFiles:
    """The files of a corpus, each list ordered by path.

    Attributes:
        training: read as training text.
        heldout: read as the held-out part; empty where documents are held out by their hash.
        digests: file -> sha256 in hex of its bytes, for those that are read.
        skipped: reason -> names of the files that are not read for it.
        notes: what else the user should know, in a few words each.
    """

    training: list[Path]
    heldout: list[Path]
    digests: dict[Path, str]
    skipped: dict[str, list[str]]
    notes: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """What is read and what is not, in one line."""
        held = _names([file.name for file in self.heldout]) if self.heldout else "by hash, 1%"
        parts = [f"{_files(len(self.training))} to train on", f"held out: {held}", *self.notes]
        if self.skipped:
            reasons = (f"{_names(names)} ({reason})" for reason, names in self.skipped.items())
            parts.append(f"not read: {', '.join(reasons)}")
        return "; ".join(parts)


def find_files(spec: str, column: str) -> CorpusFiles:
    """The files of the corpus ``spec``: a file, a folder or a glob.

    Args:
        spec: as the user wrote it.
        column: the field or column that holds the text.

    Raises:
        DataError: nothing is there, nothing can be read, all of it is empty, or two versions are
            mixed.
    """
    training, heldout, leave_out, skipped = _parts(spec, column)
    digests = _digests([*heldout, *training], leave_out)
    return CorpusFiles(
        training=[file for file in training if file in digests],
        heldout=[file for file in heldout if file in digests],
        digests=digests,
        skipped=skipped,
        notes=_missing_parts(digests),
    )


def files_to_read(spec: str, column: str = "text") -> list[Path]:
    """The files that ``find_files`` reads, and those of them that it finds empty or there twice.

    No whole file is read for this.

    Raises:
        DataError: as ``find_files`` does.
    """
    training, heldout, _, _ = _parts(spec, column)
    return [*training, *heldout]


def _parts(
    spec: str, column: str
) -> tuple[list[Path], list[Path], Callable[[Path, str], None], dict[str, list[str]]]:
    """(to train on, to hold out, how to leave a file out, what is left out so far)."""
    found, base = _listed(spec)
    skipped: dict[str, list[str]] = {}

    def leave_out(file: Path, reason: str) -> None:
        skipped.setdefault(reason, []).append(_relative(file, base))

    readable = []
    names = frozenset(found)
    for file in found:
        reason = None if file == base else _why_not(file, column, names)
        if reason is None:
            readable.append(file)
        else:
            leave_out(file, reason)
    if not readable:
        why = f" ({_names(next(iter(skipped.values())))}: {next(iter(skipped))})" if skipped else ""
        raise DataError(f"corpus {spec} holds no file that can be read{why}: {READABLE}")
    roles = {file: role_of(file.relative_to(base)) for file in readable if file != base}
    training, heldout, others = _by_role(readable, roles)
    for file in others:
        leave_out(file, "in neither part, since other files are the held-out part")
    try:
        is_empty = not any(file.stat().st_size for file in training)
    except OSError as error:
        raise _unreadable(error) from error
    if is_empty:
        raise DataError(f"corpus {spec} is empty: give one with documents in it")
    return training, heldout, leave_out, skipped


def _by_role(
    files: list[Path], roles: dict[Path, Role | None]
) -> tuple[list[Path], list[Path], list[Path]]:
    """(to train on, to hold out, neither); all are trained on where nothing else would be."""
    training = [file for file in files if roles.get(file) in (None, "training")]
    if not training:
        return files, [], []
    named = {role: [file for file in files if roles.get(file) == role] for role in HELDOUT_ROLES}
    first = next((role for role in HELDOUT_ROLES if named[role]), None)
    heldout = named[first] if first else []
    return training, heldout, [file for file in files if file not in {*training, *heldout}]


def _why_not(file: Path, column: str, found: frozenset[Path]) -> str | None:
    """Why a file that was found is not read, or None if it is."""
    kind = kind_of(file)
    if kind is None:
        return "no kind of file that is read"
    try:
        mode = file.stat().st_mode
    except FileNotFoundError as error:
        raise DataError(
            f"{file}: a link to a file that is not there: restore it, or remove the link"
        ) from error
    except OSError as error:
        raise _unreadable(error) from error
    if not stat.S_ISREG(mode):
        return "no regular file"
    if file.suffix.lower() in PACKINGS and file.with_suffix("") in found:
        return "the unpacked file is beside it"
    return why_no_table(file, column) if kind == "json" else None


def _digests(files: list[Path], leave_out: Callable[[Path, str], None]) -> dict[Path, str]:
    """The sha256 of each file, in order; one whose content an earlier file has is left out."""
    digests: dict[Path, str] = {}
    seen: dict[tuple[int, int] | str, Path] = {}
    for file in files:
        try:
            status = file.stat()
            # A link need not be read to be recognised.
            node = (status.st_dev, status.st_ino)
            digest = "" if node in seen else _sha256(file)
        except OSError as error:
            raise _unreadable(error) from error
        if (same := seen.get(node) or seen.get(digest)) and status.st_size:
            leave_out(file, f"the content of {same.name} again")
            continue
        seen[node] = seen[digest] = file
        digests[file] = digest
    return digests


def _missing_parts(files: Iterable[Path]) -> list[str]:
    """A note for every whole of which only some parts are there."""
    return [
        f"{len(whole.files)} of the {whole.count:,} parts of {whole.name or 'the data set'}"
        for whole in shards_of(files)
        if whole.missing
    ]


def _listed(spec: str) -> tuple[list[Path], Path]:
    """(the files that ``spec`` names, ordered by path; what their names are relative to)."""
    path = Path(spec).expanduser()
    if path.is_file():
        if kind_of(path) is None:
            raise DataError(f"{path}: unknown kind of file: {READABLE}")
        return [path], path
    if path.is_dir():
        found, base = _files_under(path), path
    elif path.exists():
        raise DataError(
            f"corpus {spec} is no regular file (a pipe or device), and a corpus is read more than "
            "once: write it to a file"
        )
    elif glob.has_magic(spec):
        # Path.glob takes no absolute pattern.
        matches = (Path(match) for match in glob.iglob(str(path), recursive=True))
        found = [match for match in matches if not match.is_dir()]
        if not found:
            raise DataError(f"corpus {spec}: the glob matches no file: check it, and quote it")
        fixed = re.split(r"[*?\[]", str(path), maxsplit=1)[0]
        base = Path(fixed.rpartition("/")[0] or ("/" if fixed.startswith("/") else "."))
    else:
        raise DataError(f"corpus {spec}: no such file or folder: check the path")
    return sorted(found, key=lambda file: file.as_posix()), base


def _files_under(folder: Path) -> list[Path]:
    """All files below ``folder`` except hidden ones; links to folders are followed once each."""
    found: list[Path] = []
    visited: set[str] = set()

    def refuse(error: OSError) -> None:
        raise _unreadable(error) from error

    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(place)
        folders[:] = [] if real in visited else sorted(n for n in folders if not n.startswith("."))
        if real not in visited:
            found += (Path(place, name) for name in names if not name.startswith("."))
        visited.add(real)
    return found


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: cannot be read ({error.strerror}): check its permissions")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _relative(file: Path, base: Path) -> str:
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name


def _files(count: int) -> str:
    return f"{count:,} file" + ("s" if count != 1 else "")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
