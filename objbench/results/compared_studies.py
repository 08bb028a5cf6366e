"""Which studies a page across scales was made from, stored beside it so that it can be made again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, TypeAdapter

from objbench.results.foreign_values import Inside
from objbench.results.json_files import (
    SCHEMA_VERSION,
    SchemaVersion,
    Stored,
    dump_sealed,
    read_from,
)
from objbench.results.local_store import LocalStore
from objbench.results.own_files import require_own

FILE = "across.json"


class ComparedStudies(Stored):
    """The studies of a page.

    Attributes:
        studies: their folders, relative to the folder that the page's own is in.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    studies: tuple[Inside, ...] = Field(min_length=2)


_COMPARED = TypeAdapter(ComparedStudies)


def has_compared(folder: Path) -> bool:
    """Whether a page across scales in ``folder`` says which studies it was made from."""
    return LocalStore(folder).exists(FILE)


def read_compared(folder: Path) -> list[Path]:
    """The folders of the studies that the page in ``folder`` was made from.

    Raises:
        RecordError: the file cannot be read.
        ConfigError: a link leads out of the folder that ``folder`` is in.
    """
    found = read_from(LocalStore(folder), FILE, _COMPARED)
    around = folder.resolve().parent
    return [require_own(around, name) for name in found.studies]


def compared(folder: Path, studies: Sequence[Path]) -> ComparedStudies | None:
    """``studies`` by name; None where one is not inside the folder that ``folder`` is in.

    Only what is passed on together with a page can be named in it.
    """
    around = folder.resolve().parent
    inside = [study.resolve() for study in studies]
    if not all(study.is_relative_to(around) and study != around for study in inside):
        return None
    names = [study.relative_to(around).as_posix() for study in inside]
    try:
        return ComparedStudies(studies=tuple(sorted(names)))
    except ValueError:  # a name that a stored file may not have
        return None


def write_compared(folder: Path, found: ComparedStudies | None) -> None:
    """Store which studies a page was made from; remove the file where they have no names.

    Raises:
        OSError: it cannot be written.
    """
    store = LocalStore(folder)
    if found is None:
        if os.path.lexists(folder / FILE):
            store.delete(FILE)
    else:
        store.write(FILE, dump_sealed(found).encode())
