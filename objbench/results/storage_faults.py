"""Full, read-only and vanished disks: recognised in whatever error they cause, and never a cell's own.

The next write would fail as well, so a run stops at the first one; what is finished is kept, and the
same command continues once there is room.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from objbench.errors import ObjbenchError, StorageError, one_line
from objbench.results.run_folder import RunFolder

_FAULTS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO}
)
_IN_WORDS = re.compile(r"(?:\(os error |\bOs { code: )(\d+)\b")
"""How libraries written in Rust (safetensors, tokenizers) put an errno into their messages."""


def storage_fault(error: BaseException) -> str:
    """What an error, or one that caused it, says of a disk, in one line; "" where it is of none."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FAULTS:
            place = f"{seen.filename}: " if seen.filename else ""
            return one_line(f"{place}{seen.strerror}")
        found = _IN_WORDS.search(str(seen))
        if not isinstance(seen, ObjbenchError) and found and int(found[1]) in _FAULTS:
            return os.strerror(int(found[1]))
        seen = seen.__cause__ or seen.__context__
    return ""


def refuse_storage_fault(error: BaseException, folder: RunFolder) -> None:
    """Raise what stops a run, if ``error`` comes from a disk or ``folder`` cannot be written now.

    Raises:
        StorageError: one of the two.
    """
    if isinstance(error, StorageError):
        raise error
    fault = storage_fault(error)
    if not fault and (reason := folder.fault()):
        fault = f"{folder}: {reason}"
    if fault:
        raise StorageError(
            f"the run stops, since nothing more can be stored ({fault}); what is finished is kept: "
            "make room or bring the disk back, then run the same command again to continue"
        ) from error


@contextmanager
def storage_faults(folder: RunFolder) -> Iterator[None]:
    """Turns errors of disks in the block into one line; leaves all others as they are.

    Raises:
        StorageError: a disk is full, read-only or gone.
    """
    try:
        yield
    except Exception as error:
        refuse_storage_fault(error, folder)
        raise
