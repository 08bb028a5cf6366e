"""What a file of a corpus is for, by its name: to train on, to hold out, or neither.

A role is the first or the last word of a file's name, without its endings and the number of its
part, or the name of a folder inside the corpus; the file's own name decides before its folder's,
and an inner folder before an outer one::

    train, training                       trained on, as is every file without a role
    heldout, held-out, holdout            the held-out part
    validation, valid, val, dev, eval     the held-out part if there is no heldout
    test                                  the held-out part if there is neither

So ``heldout.txt``, ``test-00000-of-00002.jsonl``, ``wiki.valid.txt`` and ``dev/a.txt`` have roles,
and ``testament.txt`` has none. What names a role and is not the held-out part is in neither part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Literal

from objbench.data.shards import without_part

Role = Literal["training", "heldout", "validation", "test"]

HELDOUT_ROLES: Sequence[Role] = ("heldout", "validation", "test")
"""The first of these that a corpus has is its held-out part."""

_ROLES: Mapping[str, Role] = {
    "train": "training",
    "training": "training",
    "heldout": "heldout",
    "holdout": "heldout",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "eval": "validation",
    "test": "test",
}


def role_of(path: PurePath) -> Role | None:
    """The role that ``path``, relative to its corpus, names; None for none."""
    own = _words(without_part(path.name))
    for word in (*own[:1], *own[-1:]):
        if role := _ROLES.get(word):
            return role
    for folder in reversed(path.parts[:-1]):
        if role := _ROLES.get("".join(_words(folder))):
            return role
    return None


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"held[-_ ]out", "heldout", name.lower()))
