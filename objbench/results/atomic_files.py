"""Files and folders that are whole or absent, whenever the process that writes them is killed.

Each is written under a temporary name beside its own, ``.<name>.<host>-<process>-<random>``, synced
to disk, and renamed or linked: several machines may share the file system. What a killed process
leaves under such a name is never read; ``remove_unfinished`` and ``sweep`` remove it.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from objbench.results.fence import require_lease

_HOST = re.sub(r"[^0-9A-Za-z]", "_", socket.gethostname())[:16] or "_"
_UNFINISHED = re.compile(r"\..*\.(\w{1,16}-)?\d+-([0-9a-f]{8}){1,2}", re.DOTALL)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to the file ``path`` as UTF-8; missing parents are made."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that becomes ``path``, in place of an older one, if the block succeeds.

    Of two processes that write the same file, the last to finish wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _temporary(path)
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        require_lease()
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def put_file_once(path: Path, content: bytes, parents: bool = True) -> int | None:
    """Write the file ``path`` unless there is one.

    Of any number of processes and machines that do so at once, one creates it. That relies on
    ``link``, which fails where the name is taken, on network file systems too.

    Args:
        path: the file.
        content: all of it.
        parents: make its folder where that is missing.

    Returns:
        When it was written, as its ``st_mtime_ns``; None where this call did not create it.

    Raises:
        OSError: it cannot be written, or the file system knows no hard links.
    """
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _temporary(path)
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written = unfinished.stat().st_mtime_ns
        try:
            os.link(unfinished, path)
        except FileExistsError:
            # NFS may send a request twice and then report its own link as that of another.
            if unfinished.stat().st_nlink == 1:
                return None
        return written
    finally:
        unfinished.unlink(missing_ok=True)


def clock(folder: Path) -> float:
    """The time by the file system of ``folder``, which may be another machine's; as ``st_mtime``.

    Raises:
        OSError: nothing can be written there.
    """
    probe = _temporary(folder / "clock")
    try:
        with probe.open("xb") as file:
            file.write(b".")
            file.flush()
            os.fsync(file.fileno())
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder that becomes ``folder``, in place of an older one, if the block succeeds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _temporary(folder)
    unfinished.mkdir()
    try:
        yield unfinished
        for path in [*unfinished.rglob("*"), unfinished]:
            _sync(path)
        require_lease()
        remove_folder(folder)
        unfinished.replace(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def remove_folder(folder: Path) -> None:
    """Remove ``folder`` if it exists; it is gone in one instant, never in parts."""
    if folder.exists():
        renamed = _temporary(folder)
        folder.replace(renamed)
        shutil.rmtree(renamed, ignore_errors=True)


def remove_unfinished(parent: Path, names: str) -> None:
    """Remove the folders that killed processes left half written or half removed in ``parent``.

    Args:
        names: what the folders were to be called, as a glob pattern.
    """
    for path in parent.glob(f".{names}.*"):
        shutil.rmtree(path, ignore_errors=True)


def sweep(root: Path, older_than: float = 0.0) -> None:
    """Remove every file and folder that killed processes left half written in or below ``root``.

    Args:
        root: need not exist.
        older_than: seconds since the last change; what is younger may still be being written by
            another process. 0 where the caller holds the lock of ``root``.
    """
    latest = time.time() - older_than
    for parent, folders, files in os.walk(root):
        for name in filter(is_unfinished, [*folders, *files]):
            path = Path(parent, name)
            if _changed(path) > latest:
                continue
            if name in folders:
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
        folders[:] = [name for name in folders if not is_unfinished(name)]


def _changed(path: Path) -> float:
    """When something in ``path`` was last changed, in seconds; infinity where it is gone.

    What vanishes meanwhile is another writer's: it is no sign that the rest is old.
    """
    below = (Path(at, name) for at, *names in os.walk(path) for name in chain(*names))
    times = []
    for one in chain([path], below):
        with suppress(OSError):
            times.append(one.lstat().st_mtime)
    return max(times, default=math.inf)


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of that name is still being written, or was when its writer died."""
    return _UNFINISHED.fullmatch(name) is not None


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{_HOST}-{os.getpid()}-{secrets.token_hex(8)}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
