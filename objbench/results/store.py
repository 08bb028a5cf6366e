"""Where the small files of a study are kept: whole, by name.

Any number of processes on any number of machines may use one store at the same time. Of those that
create a file, one does (``put_once``); of those that change it, having seen the same version, one
does (``swap``); and how old a file is, they all learn from the store's clock, not from their own.

Nothing but a run folder reads or writes a study's files, and it only does what ``Store`` says.
"""

from __future__ import annotations

from typing import Protocol, TypeAlias

Version: TypeAlias = str
"""Tells the content of a file from any other that it ever had; some stores also tell when it had it."""


class Moved(Exception):
    """A file is no longer what it was when it was last seen: somebody was faster, or deleted it."""


class Store(Protocol):
    """Files by name, such as "records/pretrain/mlm.json"; each is whole or absent."""

    def read(self, name: str) -> bytes:
        """The content of a file that is never swapped; ``get`` reads one that is.

        Raises:
            OSError: there is none, or it cannot be read; FileNotFoundError in the first case.
        """

    def read_part(self, name: str, start: int, length: int) -> bytes:
        """``length`` bytes of a file that is written once, from ``start``; fewer where it ends before.

        Raises as ``read``; also where it has no byte there.
        """

    def get(self, name: str) -> tuple[bytes, Version]:
        """The content of a file and its version, for ``swap``; raises as ``read``."""

    def write(self, name: str, content: bytes) -> None:
        """Store a file, in place of an older one."""

    def put_once(self, name: str, content: bytes) -> bool:
        """Store a file unless there is one of that name.

        Returns:
            Whether this call stored it; of several at the same time, one does.
        """

    def swap(self, name: str, content: bytes, seen: Version | None) -> Version:
        """Store a file in place of the version ``seen`` of it.

        Args:
            name: of the file.
            content: all of it.
            seen: what ``get`` or ``swap`` returned; None for a file that is not there yet.

        Returns:
            The new version.

        Raises:
            Moved: the file is not that version any more, or not there. Where the answer of the
                store was lost or late this may be so although ``content`` was stored, for an
                instant or still: who has to know puts something of its own into it, and reads it.
        """

    def age(self, name: str) -> float:
        """Seconds since a file was stored, by the store's own clock.

        Raises:
            OSError: there is none, or it cannot be read.
        """

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    def list(self, folder: str) -> list[str]:
        """The names of all files in ``folder`` and below it, sorted; none where it is not there.

        Raises:
            OSError: it cannot be listed.
            RecordError: there is a file in place of a folder, or a folder in place of a file.
        """

    def where(self, name: str) -> str:
        """How to tell a user where a file is."""
