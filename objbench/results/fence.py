"""A fence before everything that a cell stores: does its worker still have the lease on the cell?

A worker that was stopped for longer than its lease lasts, and then goes on, does not know that
another one has taken its cell over. It may compute, but it must store nothing. So whoever stores a
whole file, folder or record asks here first, at the last moment. Where there is no lease, as in a
study that one process supervises, nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class LeaseLost(BaseException):
    """Another worker has the cell; no ``Exception``, so that it is not taken for the cell's failure."""


_fences: list[Callable[[], object]] = []


@contextmanager
def fenced(renew: Callable[[], object]) -> Iterator[None]:
    """Ask ``renew`` before anything is stored in the body, by any thread of this process.

    Args:
        renew: raises ``LeaseLost`` where nothing may be stored any more.
    """
    _fences.append(renew)
    try:
        yield
    finally:
        _fences.remove(renew)


def require_lease() -> None:
    """Raise ``LeaseLost`` where nothing may be stored any more."""
    for renew in _fences:
        renew()


def is_fenced() -> bool:
    """Whether what is stored now belongs to a cell on which a worker has a lease."""
    return bool(_fences)
