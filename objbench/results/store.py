"""Where the small files of a study are kept: whole, by name.

The local file system is the one store there is. An object store would be another class here, since
nothing but a run folder reads or writes a study's files, and it only does what ``Store`` says.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from objbench.results.atomic_files import is_unfinished, whole_file
from objbench.results.own_files import own_file, require_own


class Store(Protocol):
    """Files by name, such as "records/pretrain/mlm.json"; each is whole or absent."""

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: there is none, or it cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """Store a file, in place of an older one."""

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def list(self, folder: str) -> list[str]:
        """The names of all files in ``folder`` and below it, sorted."""

    def where(self, name: str) -> str:
        """How to tell a user where a file is."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The files in and below the folder ``root``."""

    root: Path

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return own_file(self.root, name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Store a file; missing folders are made."""
        with whole_file(require_own(self.root, name)) as file:
            file.write(content)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there, and the folders that are empty then."""
        path = require_own(self.root, name)
        path.unlink(missing_ok=True)
        with suppress(OSError):
            while (path := path.parent) != self.root:
                path.rmdir()

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.root / name).is_file()

    def list(self, folder: str) -> list[str]:
        """The names of all files in ``folder`` and below it, but for unfinished ones."""
        found: list[str] = []
        if not require_own(self.root, folder).is_dir():
            return found

        def refuse(error: OSError) -> None:
            raise error

        # By default, a folder that cannot be listed would be an empty one.
        for parent, _, files in os.walk(self.root / folder, onerror=refuse):
            below = Path(parent).relative_to(self.root).as_posix()
            found += [f"{below}/{file}" for file in files if not is_unfinished(file)]
        return sorted(found)

    def where(self, name: str) -> str:
        """The path of a file."""
        return str(self.root / name)
