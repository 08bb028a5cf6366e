"""Makes a folder exactly once, under a lock, seals it, and checks the seal before every use.

A reader sees the whole folder or none, and two processes that need the same one do not both make
it. A killed process leaves only a temporary folder, which the next one to make it removes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from objbench.errors import DataError
from objbench.results.atomic_files import remove_unfinished, whole_folder
from objbench.results.sealed_folder import damage, seal

_log = logging.getLogger(__name__)


def built_once(folder: Path, build: Callable[[Path], None]) -> None:
    """Calls ``build`` with a new, empty folder that becomes ``folder``, unless that exists.

    Args:
        folder: what to make; missing parents are made too.
        build: fills the folder that it is given; if it raises, nothing remains.

    Raises:
        DataError: the folder cannot be written, or it is not what was written.
    """
    if not folder.is_dir():
        _build(folder, build)
    if fault := damage(folder):
        raise DataError(f"{folder} is damaged ({fault}): delete that folder and run again")


def _build(folder: Path, build: Callable[[Path], None]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        with _held(lock, folder):
            if not folder.is_dir():  # another process may have made it meanwhile
                remove_unfinished(folder.parent, folder.name)
                with whole_folder(folder) as made:
                    build(made)
                    seal(made)
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
