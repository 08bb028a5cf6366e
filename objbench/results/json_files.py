"""Stored models: strict, immutable, and kept as JSON.

A file that cannot be read is named, with what to do about it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from objbench.errors import RecordError
from objbench.results.store import LocalStore, Store

SCHEMA_VERSION = 1

Read = TypeVar("Read")


class Stored(BaseModel):
    """A strict, immutable model that is stored as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def dump(model: BaseModel) -> str:
    """``model`` as stable, readable JSON text; a number that is not finite is a bug."""
    return (
        json.dumps(model.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"
    )


def read_stored(path: Path, kind: TypeAdapter[Read]) -> Read:
    """What is stored in the file ``path``; raises as ``read_from``."""
    return read_from(LocalStore(path.parent), path.name, kind)


def read_from(store: Store, name: str, kind: TypeAdapter[Read]) -> Read:
    """What is stored in the file ``name`` of ``store``.

    Raises:
        RecordError: the file is not a whole one of a schema this version reads.
    """
    try:
        return kind.validate_json(store.read(name))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecordError(
            f"{store.where(name)} is corrupted or of another version: {place}: {first['msg']}; "
            "delete it and run the study again to make it again"
        ) from error
    except OSError as error:
        raise RecordError(f"{store.where(name)} cannot be read: {error.strerror}") from error


def content_key(parts: Any) -> str:
    """The SHA-256 (hex) of ``parts`` as canonical JSON: sorted keys, no NaN, no floats reformatted.

    Raises:
        TypeError: ``parts`` holds something that is not JSON.
    """
    text = json.dumps(parts, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
