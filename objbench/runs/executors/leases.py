"""Leases: which worker has which cell, agreed upon by compare-and-swap on the study's store.

A lease saves work and does not guard truth: what a cell stores depends on its key alone, so two
workers that both run it store the same. Still only the one with the lease may store (``fence``).

A worker renews its leases every ``BEAT`` seconds. One that has not been renewed for ``STALE``
seconds, by the clock of the store and not by that of any worker, may be taken over; that is another
attempt at the cell. Every taking makes a new identity, which the former holder finds when it wants
to renew or to store.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace

from objbench.results.fence import LeaseLost
from objbench.results.plan import PlannedCell
from objbench.results.store import Moved, Store, Version

BEAT = 30.0
STALE = 300.0
_FOLDER = "leases"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease on a cell.

    Attributes:
        name: of its file.
        id: of this taking; no other has it.
        owner: who holds it, such as "node-3:4711"; "" for one that was given back.
        attempt: how many workers have taken the cell and did not give it back, this one included.
        beat: renewed how often.
    """

    name: str
    id: str
    owner: str
    attempt: int
    beat: int = 0


@dataclass(frozen=True, slots=True)
class Leases:
    """The leases of a study.

    Attributes:
        store: where they are, beside the records.
        stale: seconds after which one that was not renewed may be taken over.
    """

    store: Store
    stale: float = STALE

    def take(self, cell: PlannedCell, owner: str) -> Lease | None:
        """Take a cell that nobody has, or whose worker is lost; None where somebody has it."""
        name = lease_name(cell)
        try:
            found, seen = self._read(name)
        except OSError:
            return self._swap(Lease(name, _new_id(), owner, attempt=1), None)
        if found.owner and self._age(name) <= self.stale:
            return None
        attempt = found.attempt + 1 if found.owner else max(1, found.attempt)
        return self._swap(Lease(name, _new_id(), owner, attempt), seen)

    def renew(self, name: str, lease_id: str) -> None:
        """Keep a lease for another ``stale`` seconds; any process of its holder may.

        Raises:
            LeaseLost: somebody else has taken it, or it is gone.
        """
        for _ in range(_TRIES):
            try:
                found, seen = self._read(name)
            except OSError as error:
                raise LeaseLost(f"{name} is gone") from error
            if found.id != lease_id:
                raise LeaseLost(f"{name} was taken over by {found.owner or 'nobody'}")
            if self._swap(replace(found, beat=found.beat + 1), seen) is not None:
                return
        raise LeaseLost(f"{name} changes faster than it can be renewed")

    def give_back(self, lease: Lease, *, is_lost: bool = False) -> None:
        """Let somebody else continue the cell; nothing happens where the lease is lost already.

        Args:
            lease: as it was taken.
            is_lost: the cell could not be continued here, which counts as an attempt.
        """
        attempt = lease.attempt + is_lost
        for _ in range(_TRIES):
            try:
                found, seen = self._read(lease.name)
            except OSError:
                return
            if found.id != lease.id:
                return
            if self._swap(Lease(lease.name, _new_id(), "", attempt), seen) is not None:
                return

    def take_back(self, name: str) -> None:
        """Let others continue what the worker had that was started by ``name`` and is lost."""
        for lease in self.held():
            if lease.owner.endswith(f"/{name}"):
                self.give_back(lease, is_lost=True)

    def end(self, lease: Lease) -> None:
        """Remove the lease on a cell that has its record."""
        try:
            self.renew(lease.name, lease.id)
        except LeaseLost:
            return
        self.store.delete(lease.name)

    def names(self) -> list[str]:
        """The names of all leases, by one question to the store: taken, given back or stale."""
        return self.store.list(_FOLDER)

    def held(self) -> Iterator[Lease]:
        """All leases that somebody has and that are not stale."""
        for name in self.names():
            try:
                found, _ = self._read(name)
                if found.owner and self._age(name) <= self.stale:
                    yield found
            except OSError:
                continue

    def _age(self, name: str) -> float:
        try:
            return self.store.age(name)
        except OSError:
            return 0.0  # It is being replaced at this moment, so somebody has it.

    def _read(self, name: str) -> tuple[Lease, Version]:
        content, seen = self.store.get(name)
        try:
            stored = json.loads(content)
            lease = Lease(name, str(stored["id"]), str(stored["owner"]), int(stored["attempt"]))
            return replace(lease, beat=int(stored["beat"])), seen
        except (ValueError, KeyError, TypeError):
            # Whoever wrote it is no worker of ours; as one whose worker is lost it is taken over.
            return Lease(name, "", "nobody", 1), seen

    def _swap(self, lease: Lease, seen: Version | None) -> Lease | None:
        """Store a lease; None where somebody was faster."""
        body = {
            "id": lease.id,
            "owner": lease.owner,
            "attempt": lease.attempt,
            "beat": lease.beat,
        }
        try:
            self.store.swap(lease.name, json.dumps(body).encode(), seen)
        except FileNotFoundError:
            return None  # Its folder was empty for an instant, and was removed.
        except Moved:
            # The answer of a store may be lost although it did what it was asked.
            try:
                found, _ = self._read(lease.name)
            except OSError:
                return None
            return lease if (found.id, found.beat) == (lease.id, lease.beat) else None
        return lease


def lease_name(cell: PlannedCell) -> str:
    """The file of the lease on a cell."""
    return f"{_FOLDER}/{cell.id}.{cell.key[:12]}"


def this_worker(name: str = "") -> str:
    """How this process is named as an owner: its host and number, and the name it was started by."""
    return f"{socket.gethostname()}:{os.getpid()}{name and f'/{name}'}"


def _new_id() -> str:
    return secrets.token_hex(8)
