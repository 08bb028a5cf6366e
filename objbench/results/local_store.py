"""A store that is a folder, on a file system of this machine or of several."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from objbench.errors import RecordError
from objbench.results.atomic_files import clock, is_unfinished, put_file_once, whole_file
from objbench.results.generations import (
    first_generation,
    holds_generations,
    read_generation,
    remove_generations,
    replaced_generations,
    swap_generation,
)
from objbench.results.own_files import own_file, require_own
from objbench.results.store import Version

# What ``link`` reports on FAT, on some mounts of containers, and where there is no such call.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}

# What was stored under such a name is gone where there is a folder.
_OF_FILES = (".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The files in and below the folder ``root``, which may be on a file system that is shared.

    ``put_once`` relies on hard links, ``swap`` on what ``generations`` says. Where the file system has
    no hard links workers cannot share it, so one process may use ``put_once`` there all the same.
    """

    root: Path

    def read(self, name: str) -> bytes:
        """The content of a file that is never swapped, which has no generations."""
        return own_file(self.root, name).read_bytes()

    def read_part(self, name: str, start: int, length: int) -> bytes:
        """Some bytes of a file that is written once."""
        with own_file(self.root, name).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def get(self, name: str) -> tuple[bytes, Version]:
        """The content of a file and its version."""
        found = read_generation(own_file(self.root, name))
        return found.content, found.version

    def write(self, name: str, content: bytes) -> None:
        """Store a file; missing folders are made."""
        with replaced_generations(path := require_own(self.root, name)), whole_file(path) as file:
            file.write(content)

    def put_once(self, name: str, content: bytes) -> bool:
        """Store a file unless there is one; missing folders are made."""
        path = require_own(self.root, name)
        try:
            return put_file_once(path, content) is not None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        if path.exists():
            return False
        with whole_file(path) as file:
            file.write(content)
        return True

    def swap(self, name: str, content: bytes, seen: Version | None) -> Version:
        """Store a file in place of the version ``seen``."""
        path = require_own(self.root, name)
        if seen is None:
            return first_generation(path, content)
        return swap_generation(path, content, seen)

    def age(self, name: str) -> float:
        """Seconds since a file was stored, by the clock of its file system."""
        path = own_file(self.root, name)
        changed = read_generation(path).changed
        return max(0.0, clock(path.parent) - changed)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there, and the folders that are empty then."""
        path = require_own(self.root, name)
        remove_generations(path)
        with suppress(OSError):
            while (path := path.parent) != self.root:
                path.rmdir()

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.root / name).is_file()

    def list(self, folder: str) -> list[str]:
        """The names of all files in ``folder`` and below it, but for unfinished ones."""
        found: list[str] = []
        if not (top := require_own(self.root, folder)).exists():
            return found
        if not top.is_dir():
            raise RecordError(f"{top} is no folder: delete it and run the study again")

        def refuse(error: OSError) -> None:
            # One that somebody else has removed meanwhile has no files.
            if not isinstance(error, FileNotFoundError):
                raise error

        # By default, a folder that cannot be listed would be an empty one.
        for parent, folders, files in os.walk(self.root / folder, onerror=refuse):
            folders[:] = [name for name in folders if not holds_generations(name)]
            for name in folders:
                if name.endswith(_OF_FILES):
                    where = Path(parent, name)
                    raise RecordError(f"{where} is no file: delete it and run the study again")
            below = Path(parent).relative_to(self.root)
            found += [(below / file).as_posix() for file in files if not is_unfinished(file)]
        return sorted(found)

    def where(self, name: str) -> str:
        """The path of a file."""
        return str(self.root / name)
