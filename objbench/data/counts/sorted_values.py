"""Counting and looking up whole numbers by sorting them: no loop over tokens, no hash table.

Shape legend: n values, U different ones, P values looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def counted(values: Ids) -> tuple[Ids, Ids]:
    """(U,) the different ones of (n,) int64 ``values``, rising, and (U,) how often each is there.

    ``values`` are sorted in place.
    """
    values.sort()
    return runs(values)


def runs(values: Ids) -> tuple[Ids, Ids]:
    """The same of ``values`` that are sorted."""
    changes = np.concatenate([[True], values[1:] != values[:-1]])
    first = np.flatnonzero(changes[: len(values)])
    return values[first], np.diff(np.append(first, len(values)))


def looked_up(keys: Ids, values: Ids, wanted: Ids) -> Ids:
    """The value of each of (P,) ``wanted`` keys, 0 where it is none of ``keys``.

    Args:
        keys: (U,) int64, rising.
        values: (U,) int64, of the keys.
        wanted: (P,) int64.
    """
    if not len(keys):
        return np.zeros_like(wanted)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
