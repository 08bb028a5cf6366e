"""A folder of a store as a store of its own."""

from __future__ import annotations

from dataclasses import dataclass

from objbench.results.store import Store, Version


@dataclass(frozen=True, slots=True)
class StorePart:
    """The files in ``folder`` of ``store``, by their names there; see ``Store``."""

    store: Store
    folder: str

    def read(self, name: str) -> bytes:
        """As of ``Store``, as are all others."""
        return self.store.read(self._name(name))

    def read_part(self, name: str, start: int, length: int) -> bytes:
        """A part of the content of a file."""
        return self.store.read_part(self._name(name), start, length)

    def get(self, name: str) -> tuple[bytes, Version]:
        """The content of a file and its version."""
        return self.store.get(self._name(name))

    def write(self, name: str, content: bytes) -> None:
        """Store a file, in place of an older one."""
        self.store.write(self._name(name), content)

    def put_once(self, name: str, content: bytes) -> bool:
        """Store a file unless there is one of that name."""
        return self.store.put_once(self._name(name), content)

    def swap(self, name: str, content: bytes, seen: Version | None) -> Version:
        """Store a file in place of the version ``seen``."""
        return self.store.swap(self._name(name), content, seen)

    def age(self, name: str) -> float:
        """Seconds since a file was stored."""
        return self.store.age(self._name(name))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        self.store.delete(self._name(name))

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self.store.exists(self._name(name))

    def list(self, folder: str) -> list[str]:
        """The names of all files in ``folder`` and below it, sorted."""
        names = self.store.list(self._name(folder))
        return [name.removeprefix(f"{self.folder}/") for name in names]

    def where(self, name: str) -> str:
        """How to tell a user where a file is."""
        return self.store.where(self._name(name))

    def _name(self, name: str) -> str:
        return f"{self.folder}/{name}" if name else self.folder
