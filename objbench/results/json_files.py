"""Stored models: strict, immutable, and kept as JSON.

A file that a number on a page depends on holds the SHA-256 of its own content, so a digit that was
changed is no other result but a damaged file. A file that cannot be read is named, with what to do
about it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from objbench.errors import RecordError, one_line
from objbench.results.local_store import LocalStore
from objbench.results.store import Store

SCHEMA_VERSION: Final = 1


def _whole(version: Any) -> Any:
    if type(version) is not int:  # true and 1.0 equal 1
        raise ValueError("the version of a schema is a whole number")
    return version


SchemaVersion = Annotated[Literal[1], BeforeValidator(_whole)]
"""The schemas that this version reads."""

Read = TypeVar("Read")

_SEAL = "sha256"


class Stored(BaseModel):
    """A strict, immutable model that is stored as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def dump(model: BaseModel) -> str:
    """``model`` as stable, readable JSON text; a number that is not finite is a bug."""
    return _text(model.model_dump(mode="json"))


def dump_sealed(model: BaseModel) -> str:
    """The same, ``sealed``."""
    return _text(sealed(model.model_dump(mode="json")))


def _text(fields: dict[str, Any]) -> str:
    return json.dumps(fields, indent=1, sort_keys=True, allow_nan=False) + "\n"


def read_stored(path: Path, kind: TypeAdapter[Read]) -> Read:
    """What is stored in the file ``path``; raises as ``read_from``."""
    return read_from(LocalStore(path.parent), path.name, kind)


def sealed(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` of a file with their ``content_key``, so that reading notices what was changed."""
    return fields | {_SEAL: content_key(fields)}


def unsealed(value: Any) -> Any:
    """What was sealed; files from before there were seals are as they are.

    Raises:
        ValueError: it is not what was sealed.
    """
    if isinstance(value, dict) and _SEAL in value:
        written = value.pop(_SEAL)
        if written != content_key(value):
            raise ValueError("it is not what was written: its SHA-256 does not match")
    return value


def read_from(store: Store, name: str, kind: TypeAdapter[Read]) -> Read:
    """What is stored in the file ``name`` of ``store``.

    Raises:
        RecordError: the file is not a whole one of a schema this version reads.
    """
    try:
        content = store.read(name)
    except OSError as error:
        raise _unreadable(store, name, error) from error
    return stored_in(content, store.where(name), kind)


def read_if_there(store: Store, name: str, kind: TypeAdapter[Read]) -> Read | None:
    """The file ``name`` of ``store``; None where there is nothing; raises as ``read_from``."""
    try:
        content = store.read(name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(store, name, error) from error
    return stored_in(content, store.where(name), kind)


def _unreadable(store: Store, name: str, error: OSError) -> RecordError:
    return RecordError(f"{store.where(name)} cannot be read: {error.strerror}")


def write_to(store: Store, name: str, model: BaseModel) -> None:
    """Store ``model``, sealed, as the file ``name`` of ``store``, in place of an older one."""
    store.write(name, dump_sealed(model).encode())


def keep_in(store: Store, name: str, model: BaseModel | None) -> None:
    """Have the file ``name`` of ``store`` hold ``model``; remove it where that is None."""
    if model is None:
        store.delete(name)
    else:
        write_to(store, name, model)


def stored_in(content: bytes, where: str, kind: TypeAdapter[Read]) -> Read:
    """What the content of a file holds, which users know as ``where``; raises as ``read_from``."""
    try:
        return kind.validate_python(unsealed(parsed(content)))
    except ValueError as error:  # of both kinds: no JSON, and not what is asked for
        raise RecordError(
            f"{where} is corrupted or of another version: {fault(error)}; "
            "delete it and run the study again to make it again"
        ) from error


def parsed(data: bytes) -> Any:
    """What the JSON text ``data`` holds.

    Raises:
        ValueError: it is no JSON, is nested too deep, names a key twice, or has a NaN, an
            Infinity or a number of too many digits.
    """
    value = from_json(data, allow_inf_nan=False)
    # Of a key that is there twice one is lost, and its colon with it. Written again, a colon in
    # text is the same, but for the one that was written as \u003a.
    if data.count(b":") != to_json(value).count(b":") or b"\\u003" in data:
        json.loads(data, object_pairs_hook=_once)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found


def fault(error: ValueError) -> str:
    """What is wrong, and at which place, in one line of at most some 300 characters."""
    if not isinstance(error, ValidationError):
        return one_line(error)[:300]
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the file"
    return one_line(f"{place[:100]}: {first['msg'][:200]}")


def content_key(parts: Any) -> str:
    """The SHA-256 (hex) of ``parts`` as canonical JSON: sorted keys, no NaN, no floats reformatted.

    Raises:
        TypeError: ``parts`` holds something that is not JSON.
    """
    text = json.dumps(parts, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
