"""Files that are changed by compare-and-swap, by processes on any number of machines, without a lock.

A lock would have to be broken when its holder dies, and a holder that was only stopped would go on
to write. Here the generations of the file ``<name>`` are files that are created once each: the file
itself is generation 0, and generation n is ``.<name>.swaps-<life>/<n>``, beside it. To swap is to
create generation n + 1, which only one can do, and readers take the last one there is. So a reader
sees a swap in one instant, and no process can be killed or stopped where that does harm.

``<life>`` is made of the content and the time of generation 0: what was about to be swapped in a
file that has been deleted since, and perhaps put there again, finds another life. Of the
generations the last ``KEPT`` stay. Whoever was stopped for so long that the one it is about to
create has come and gone finds that many later ones beside it, and takes it away again.

This relies on ``link`` failing where a name is taken, on a process seeing a folder as it is after
creating something there itself, and on times of change that stay as they are. Local file systems
and NFS do all three.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from objbench.results.atomic_files import put_file_once
from objbench.results.own_files import own_file
from objbench.results.store import Moved

KEPT = 4
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Generation:
    """The current content of a file.

    Attributes:
        content: its bytes.
        version: tells it from every earlier and later one.
        changed: when it was written, by the file system's clock.
    """

    content: bytes
    version: str
    changed: float


def read_generation(path: Path) -> Generation:
    """The current generation of the file ``path``.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    for _ in range(_ATTEMPTS):
        first, life, status = _first(path)
        folder = _folder(path, life)
        if not (numbers := _numbers(folder)):
            found = Generation(first, f"{life}-0", status.st_mtime)
        else:
            last = max(numbers)
            try:
                with own_file(path.parent, f"{folder.name}/{last}").open("rb") as file:
                    written = os.fstat(file.fileno()).st_mtime
                    found = Generation(file.read(), f"{life}-{last}", written)
            except FileNotFoundError:
                continue
        with suppress(FileNotFoundError):
            if _same_file(path.stat(), status):
                return found
    raise OSError(errno.EBUSY, "it changes faster than it can be read", str(path))


def first_generation(path: Path, content: bytes) -> str:
    """Create the file ``path``; returns its version.

    Raises:
        Moved: there is one.
        OSError: it cannot be written.
    """
    written = put_file_once(path, content)
    if written is None:
        raise Moved(str(path))
    return f"{_life_of(content, written)}-0"


def swap_generation(path: Path, content: bytes, seen: str) -> str:
    """Make ``content`` the current content of the file ``path``, if ``seen`` is its version.

    Returns:
        The new version.

    Raises:
        Moved: it is not, or there is no file. The content may have been current for an instant if
            this process was stopped meanwhile for as long as ``KEPT`` swaps take.
        OSError: it cannot be written.
    """
    life, number = seen.rsplit("-", 1)
    folder, mine = _folder(path, life), int(number) + 1
    if not _is_current(path, life, mine - 1):
        raise Moved(str(path))
    try:
        if mine == 1:
            folder.mkdir(exist_ok=True)
        own = own_file(path.parent, f"{folder.name}/{mine}")
        written = put_file_once(own, content, parents=False)
    except FileNotFoundError as error:
        raise Moved(str(path)) from error
    if written is None:
        raise Moved(str(path))
    if _life(path) != life:
        shutil.rmtree(folder, ignore_errors=True)
        raise Moved(str(path))
    last = max(_numbers(folder), default=mine)
    if last - mine >= KEPT:
        own.unlink(missing_ok=True)
        raise Moved(str(path))
    _remove(folder, (old for old in _numbers(folder) if old <= last - KEPT))
    return f"{life}-{mine}"


@contextmanager
def replaced_generations(path: Path) -> Iterator[None]:
    """Removes the generations of the file ``path`` once the block has put another in its place."""
    older = _life(path)
    yield
    if older:
        shutil.rmtree(_folder(path, older), ignore_errors=True)


def remove_generations(path: Path) -> None:
    """Remove the file ``path``, if it is there, with all its generations."""
    life = _life(path)
    # In this order: without the file, the generations are those of no life.
    path.unlink(missing_ok=True)
    if life:
        shutil.rmtree(_folder(path, life), ignore_errors=True)


def holds_generations(name: str) -> bool:
    """Whether a folder of that name holds the generations of a file."""
    return re.fullmatch(r"\..*\.swaps-[0-9a-f]{16}", name, re.DOTALL) is not None


def _first(path: Path) -> tuple[bytes, str, os.stat_result]:
    """Content, life and status of generation 0."""
    with path.open("rb") as file:
        status, content = os.fstat(file.fileno()), file.read()
    return content, _life_of(content, status.st_mtime_ns), status


def _same_file(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_ino, one.st_mtime_ns) == (other.st_ino, other.st_mtime_ns)


def _life_of(content: bytes, written: int) -> str:
    text = b"%d %s" % (written, hashlib.sha256(content).digest())
    return hashlib.sha256(text).hexdigest()[:16]


def _life(path: Path) -> str:
    """The life of the file ``path``; "" where there is none."""
    try:
        return _first(path)[1]
    except FileNotFoundError:
        return ""


def _folder(path: Path, life: str) -> Path:
    return path.with_name(f".{path.name}.swaps-{life}")


def _numbers(folder: Path) -> list[int]:
    """The generations in ``folder``; none where it does not exist."""
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]
    except FileNotFoundError:
        return []


def _is_current(path: Path, life: str, number: int) -> bool:
    return _life(path) == life and max(_numbers(_folder(path, life)), default=0) == number


def _remove(folder: Path, numbers: Iterable[int]) -> None:
    # The oldest first: what is left is always the last ones, without a gap.
    for number in sorted(numbers):
        with suppress(OSError):
            (folder / str(number)).unlink()
