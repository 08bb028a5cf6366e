"""The parts of a token cache: what is made of it so far, and how other machines get it.

Part N is the Nth block of the corpus as token ids: ``N.bin`` holds its training ids and then its held-out
ids, and ``N.json``, written after it, what these are. Parts are made in any order, by any number of
processes on any machines, and whoever makes one makes the same bytes. The cache is the parts in order, so
its bytes do not depend on who made which. Its manifest comes last: where it is, all is.

A cache that is whole is shared by cutting it into copies, which end elsewhere than blocks do. They have a
folder of their own, so that what a killed process left of the one kind is never joined with the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from objbench.data.corpus_reading import Place
from objbench.errors import DataError
from objbench.results.store import Store

MANIFEST = "manifest.json"
STREAMS = ("train.bin", "heldout.bin")
COPIED_BYTES = 16_000_000
"""How much of a stream is a part where a cache that is whole is cut into parts."""


class Part(BaseModel):
    """What one part holds; of each pair the first is of the training ids.

    Attributes:
        documents, bytes: how many.
        sha256: of all its bytes, in hex.
        is_last: it is the last of the cache.
        place: where its documents end, if reading can begin there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    documents: tuple[int, int]
    bytes: tuple[int, int]
    sha256: str
    is_last: bool
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class TokenParts:
    """The parts of one token cache.

    Attributes:
        store: where they are.
        folder: in which folder of it.
    """

    store: Store
    folder: str

    def __str__(self) -> str:
        return self.store.where(self.folder)

    @property
    def copies(self) -> TokenParts:
        """Where the parts are that a whole cache is cut into."""
        return replace(self, folder=f"{self.folder}.copied")

    def whole(self) -> TokenParts | None:
        """These parts, or else the copies, if all of them are there."""
        return next((kind for kind in (self, self.copies) if kind.manifest() is not None), None)

    def numbers(self) -> set[int]:
        """The numbers of the parts that are there."""
        names = {Path(name).name for name in self.store.list(self.folder)} - {MANIFEST}
        stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
        return {int(stem) for stem in stems if stem.isdecimal()}

    def part(self, number: int) -> Part:
        """What a part holds.

        Raises:
            DataError: it is not there, or damaged.
        """
        name = self._name(number, "json")
        try:
            return Part.model_validate_json(self._read(name))
        except ValidationError as error:
            raise self._damaged(name) from error

    def put(self, number: int, part: Part, content: bytes) -> None:
        """Store a part, unless it is there."""
        self.store.put_once(self._name(number, "bin"), content)
        self.store.put_once(self._name(number, "json"), part.model_dump_json().encode())

    def manifest(self) -> bytes | None:
        """The manifest of the cache; None as long as a part is missing."""
        try:
            return self.store.read(f"{self.folder}/{MANIFEST}")
        except FileNotFoundError:
            return None

    def put_manifest(self, content: bytes) -> None:
        """Store the manifest: all parts are there."""
        self.store.put_once(f"{self.folder}/{MANIFEST}", content)

    def join(self, folder: Path) -> tuple[int, int]:
        """Write the two streams into ``folder``; returns the documents of each.

        Raises:
            DataError: a part is not there, or damaged.
            OSError: a file cannot be read or written.
        """
        documents = [0, 0]
        with (folder / STREAMS[0]).open("wb") as train, (folder / STREAMS[1]).open("wb") as heldout:
            for number, part in self._in_order():
                content = self._content(number, part)
                train.write(content[: part.bytes[0]])
                heldout.write(content[part.bytes[0] :])
                documents = [a + b for a, b in zip(documents, part.documents, strict=True)]
        return documents[0], documents[1]

    def copy(self, folder: Path, documents: tuple[int, int]) -> None:
        """Store the streams in ``folder`` as parts.

        Args:
            folder: of a whole cache.
            documents: of each of its streams.
        """
        with (folder / STREAMS[0]).open("rb") as train, (folder / STREAMS[1]).open("rb") as heldout:
            sizes = [(folder / name).stat().st_size for name in STREAMS]
            count = -(-max(sizes) // COPIED_BYTES)
            for number in range(count):
                pair = train.read(COPIED_BYTES), heldout.read(COPIED_BYTES)
                content = b"".join(pair)
                part = Part(
                    documents=(0, 0) if number else documents,
                    bytes=(len(pair[0]), len(pair[1])),
                    sha256=hashlib.sha256(content).hexdigest(),
                    is_last=number == count - 1,
                )
                self.put(number, part, content)

    def delete(self) -> None:
        """Remove all parts."""
        for name in self.store.list(self.folder):
            self.store.delete(name)

    def _in_order(self) -> Iterator[tuple[int, Part]]:
        number, is_last = 0, False
        while not is_last:
            part = self.part(number)
            yield number, part
            number, is_last = number + 1, part.is_last

    def _content(self, number: int, part: Part) -> bytes:
        name = self._name(number, "bin")
        content = self._read(name)
        if len(content) != sum(part.bytes) or hashlib.sha256(content).hexdigest() != part.sha256:
            raise self._damaged(name)
        return content

    def _read(self, name: str) -> bytes:
        try:
            return self.store.read(name)
        except FileNotFoundError as error:
            raise DataError(
                f"{self.store.where(name)} is missing: delete {self} and run the same command again"
            ) from error

    def _damaged(self, name: str) -> DataError:
        return DataError(
            f"{self.store.where(name)} is damaged: delete {self} and run the same command again"
        )

    def _name(self, number: int, kind: str) -> str:
        return f"{self.folder}/{number:05}.{kind}"
