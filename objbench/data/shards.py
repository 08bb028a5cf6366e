"""Files that are numbered parts of one whole, such as ``train-00001-of-00003.parquet``.

A missing part would be taken for a smaller whole, and the parts of two generations for a larger
one; neither can be seen in the files that are there, only in their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from objbench.errors import DataError

_PART = re.compile(r"(?P<name>.*?)[-_.]?(?P<index>\d+)-of-(?P<count>\d+)(?!\d).*")
_ENDINGS = re.compile(r"(\.(txt|jsonl|ndjson|json|csv|parquet|gz|zst|bz2|xz))+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shards:
    """The parts of one whole that are there.

    Attributes:
        name: what their names begin with, such as "train".
        count: how many parts the whole has, as they all say.
        files: number in the name -> file.
    """

    name: str
    count: int
    files: dict[int, Path] = field(default_factory=dict)

    @property
    def missing(self) -> list[int]:
        """The numbers that are not there; numbers start at 0, or at 1 where the last is there."""
        first = 1 if 0 not in self.files and self.count in self.files else 0
        return [at for at in range(first, self.count + first) if at not in self.files]


def without_part(name: str) -> str:
    """A file's name without the number of its part and all that follows, or without its endings."""
    part = _PART.fullmatch(name)
    return part["name"] if part else _ENDINGS.sub("", name)


def shards_of(files: Iterable[Path]) -> list[Shards]:
    """The wholes whose parts are among ``files``, in their order.

    Raises:
        DataError: the parts of one whole say different counts, or two have the same number.
    """
    found: dict[tuple[Path, str], Shards] = {}
    for file in files:
        part = _PART.fullmatch(file.name)
        if part is None:
            continue
        index, count = int(part["index"]), int(part["count"])
        whole = found.setdefault((file.parent, part["name"]), Shards(part["name"], count))
        other = whole.files.setdefault(index, file)
        if whole.count != count:
            other = next(iter(whole.files.values()))
        if other != file:
            raise DataError(
                f"{file} and {other.name} are parts of two versions of one data set: "
                "remove the files of one"
            )
    return list(found.values())
