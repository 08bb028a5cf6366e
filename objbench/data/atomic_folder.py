"""Makes a folder exactly once: locked, under a temporary name, renamed when it is whole.

So a reader sees the whole folder or none, two processes that want the same one do not both make
it, and a process killed half-way leaves nothing but a temporary folder, which the next maker of
the same folder removes.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from objbench.errors import DataError

_log = logging.getLogger(__name__)


def built_once(folder: Path, build: Callable[[Path], None]) -> None:
    """Calls ``build`` with a new, empty folder that becomes ``folder``, unless that exists.

    Args:
        folder: what is wanted; missing parents are made.
        build: fills the folder it is given; if it raises, nothing is left behind.

    Raises:
        DataError: the folder cannot be written.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        with _held(lock, folder):
            if not folder.is_dir():  # another process may have made it meanwhile
                _build(folder, build)
    except OSError as error:
        raise DataError(
            f"cannot write {error.filename or folder} ({error.strerror or error}): make room, "
            f"make {folder.parent} writable or choose another folder"
        ) from error


def _held(lock: FileLock, folder: Path) -> AcquireReturnProxy[FileLock]:
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        _log.info("waiting for another process that is making %s", folder)
        return lock.acquire()


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    stem = f".{folder.name}."
    for left_over in folder.parent.glob(f"{stem}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    made = folder.with_name(f"{stem}{os.getpid()}")
    made.mkdir()
    try:
        build(made)
        for file in made.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
