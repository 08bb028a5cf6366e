"""The checkpoints of a cell in an object store, so that another machine goes on where one was lost.

Each is stored in the folder of this machine first. What this machine had not yet put into the store
when it was killed is therefore still here, and is continued from unless the store has a later one.

In the store the checkpoints are sealed folders, and the object ``latest`` names the last
two. Whoever begins the cell swaps ``latest`` for one with a mark of its own, and from then on nobody
who had begun it before can change it: that worker finds another version than it has seen.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from objbench.errors import CheckpointError, RecordError, StorageError
from objbench.results.fence import LeaseLost, is_fenced, require_lease
from objbench.results.foreign_values import Key
from objbench.results.json_files import Stored, dump
from objbench.results.object_store import ObjectStore
from objbench.results.object_trees import fetch_tree, put_tree, remove_trees
from objbench.results.sealed_folder import seal
from objbench.results.store import Moved, Version
from objbench.results.training_points import ExportedPoint

KEPT = 2
"""Checkpoints of a cell, in a folder and in a store: should the latest be damaged, one is left."""
_TRIES = 20


class KeptCheckpoint(Stored):
    """A checkpoint in the store: the name of its folder, and the digest with which that is sealed."""

    name: Annotated[str, Field(pattern=r"^step-\d{1,12}$")]
    digest: Key


class Latest(Stored):
    """What the object ``latest`` holds.

    Attributes:
        writer: whoever may change it; every beginning of a cell is another.
        kept: the checkpoints that there are, the latest last.
    """

    writer: Key
    kept: tuple[KeptCheckpoint, ...] = ()


_LATEST = TypeAdapter(Latest)


class CheckpointCopies:
    """The checkpoints of one cell, in a store and in a folder of this machine.

    Args:
        store: the run's.
        name: of the cell's checkpoints in it.
        folder: of the cell's checkpoints here.
        encoder: the folder of an exported encoder here.
    """

    def __init__(
        self,
        store: ObjectStore,
        name: str,
        folder: Path,
        encoder: Callable[[ExportedPoint], Path],
    ) -> None:
        self._store, self._name, self._folder, self._encoder = store, name, folder, encoder
        self._pointer = f"{name}/latest"
        self._latest = Latest(writer=secrets.token_hex(8))
        self._seen: Version | None = None

    def begin(self, is_whole: Callable[[Path], bool]) -> None:
        """Take the cell's checkpoints over, and have the latest whole one in the folder.

        It is fetched unless the folder has it. One that the folder has already is never removed, and
        the store's of the same step takes its place only if it is another.

        Args:
            is_whole: whether a folder is a whole checkpoint of this cell.

        Raises:
            CheckpointError: what the store has is malformed, damaged or gone, and there is no whole
                one here.
            OSError: it cannot be read.
        """
        there = {one.name: one.digest for one in self._claimed()}
        if not there:
            return
        here = {path.name for path in self._folder.glob("step-*") if _step(path.name) >= 0}
        fault = ""
        for name in sorted({*there, *here}, key=_step, reverse=True):
            path = self._folder / name
            if name in there:
                try:
                    fetch_tree(self._store, f"{self._name}/{name}", path, there[name])
                except RecordError as error:
                    fault = fault or str(error)
            if is_whole(path):
                return
        where = self._store.where(self._name)
        raise CheckpointError(
            f"{fault or f'no checkpoint in {where} is whole'}; delete {where} and {self._folder} to "
            "start the cell from the beginning"
        )

    def put(self, path: Path, points: Sequence[ExportedPoint]) -> None:
        """Store a checkpoint, and remove the one before the last.

        Args:
            path: its folder, which is sealed here.
            points: the encoders exported before it, which have to be there when another machine
                goes on from it.

        Raises:
            LeaseLost: another worker has begun the cell; nothing names what was stored.
            StorageError: the same, where no worker has leases.
            OSError: the store cannot be reached.
        """
        require_lease()
        for point in points:
            put_tree(self._store, point.encoder, self._encoder(point), point.digest)
        new = KeptCheckpoint(name=path.name, digest=seal(path))
        put_tree(self._store, f"{self._name}/{new.name}", path, new.digest)
        before = self._latest.kept
        kept = (*(one for one in before if one != new), new)[-KEPT:]
        self._swap(Latest(writer=self._latest.writer, kept=kept))
        for one in before:
            if one not in kept:
                require_lease()
                remove_trees(self._store, f"{self._name}/{one.name}/{one.digest}")

    def remove(self) -> None:
        """Remove all checkpoints of the cell from the store."""
        self._store.delete(self._pointer)
        remove_trees(self._store, self._name)

    def _claimed(self) -> tuple[KeptCheckpoint, ...]:
        """The checkpoints that the store has, once nobody else can change which these are."""
        for _ in range(_TRIES):
            latest, seen = self._read()
            kept = () if latest is None else latest.kept
            mine = Latest(writer=self._latest.writer, kept=kept)
            try:
                self._seen = self._store.swap(self._pointer, dump(mine).encode(), seen)
            except Moved:
                # The answer of a store may be lost although it did what it was asked.
                latest, self._seen = self._read()
                if latest != mine:
                    continue
            self._latest = mine
            return kept
        raise OSError(f"{self._store.where(self._pointer)} changes faster than it can be read")

    def _swap(self, latest: Latest) -> None:
        require_lease()
        try:
            self._seen = self._store.swap(self._pointer, dump(latest).encode(), self._seen)
        except Moved as error:
            found, seen = self._read()
            if found != latest:
                where = self._store.where(self._name)
                if is_fenced():
                    raise LeaseLost(f"{where} was taken over") from error
                raise StorageError(
                    f"another objbench trains {where} too: stop one of the two, then run the same "
                    "command again to continue"
                ) from error
            self._seen = seen
        self._latest = latest

    def _read(self) -> tuple[Latest | None, Version | None]:
        try:
            content, seen = self._store.get(self._pointer)
        except FileNotFoundError:
            return None, None
        try:
            return _LATEST.validate_json(content), seen
        except ValidationError as error:
            raise CheckpointError(
                f"{self._store.where(self._pointer)} is malformed: delete it to start the cell from "
                "the beginning"
            ) from error


def _step(name: str) -> int:
    """The steps of the checkpoint in a folder of that name; -1 where it is none's."""
    digits = name.removeprefix("step-")
    return int(digits) if digits.isdecimal() else -1
