"""Sealed folders in an object store: put there whole, and fetched whole.

A folder is stored as ``<name>/<its digest>/<file>``, the seal last: where the seal is, all is. Two
workers that made the same folder with other content do not touch each other's, and whoever has the
digest, which is in the record, gets what was meant. What is fetched is checked against both.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from filelock import FileLock

from objbench.errors import RecordError
from objbench.results.atomic_files import whole_folder
from objbench.results.object_store import ObjectStore
from objbench.results.own_files import own_file
from objbench.results.sealed_folder import SEAL, damage

_AT_ONCE = 8


def put_tree(store: ObjectStore, name: str, folder: Path, digest: str) -> None:
    """Store the sealed ``folder`` under ``name``; nothing is done where it is there already.

    Args:
        store: where.
        name: of the folder in it.
        folder: the folder.
        digest: what ``seal`` returned for it.

    Raises:
        RecordError: it is not what was sealed.
        OSError: it cannot be read, or not be stored.
    """
    there = f"{name}/{digest}"
    if store.exists(f"{there}/{SEAL}"):
        return
    if fault := damage(folder, digest):
        raise RecordError(f"{folder} cannot be stored: {fault}; delete it to make it again")
    names = json.loads((folder / SEAL).read_bytes())["files"]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        stored = pool.map(lambda file: store.upload(folder / file, f"{there}/{file}"), names)
        list(stored)  # so that what failed is raised
    store.upload(folder / SEAL, f"{there}/{SEAL}")


def fetch_tree(store: ObjectStore, name: str, folder: Path, digest: str) -> None:
    """Make ``folder`` the one that was stored under ``name``; nothing is done where it is already.

    Processes of one machine that want the same one wait for the first to fetch it.

    Raises:
        RecordError: it is not there, or not what was stored.
        OSError: it cannot be fetched, or not be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir() and not damage(folder, digest):
            return
        there = f"{name}/{digest}"
        with whole_folder(folder) as made:
            try:
                store.download(f"{there}/{SEAL}", made / SEAL)
                for file in _files(made):
                    path = own_file(made, file)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    store.download(f"{there}/{file}", path)
            except FileNotFoundError as error:
                raise RecordError(f"{store.where(there)} is gone: {error.filename}") from error
            if fault := damage(made, digest):
                raise RecordError(f"{store.where(there)} is damaged ({fault})")


def remove_trees(store: ObjectStore, name: str) -> None:
    """Remove everything that is stored below ``name``; of a sealed folder the seal first."""
    for one in sorted(store.list(name), key=lambda one: not one.endswith(f"/{SEAL}")):
        store.delete(one)


def _files(sealed: Path) -> list[str]:
    """The names in a seal that may be anybody's; ``damage`` tells later what is wrong with it."""
    try:
        found = json.loads((sealed / SEAL).read_bytes())["files"]
        return [name for name in found if isinstance(name, str) and name != SEAL]
    except (ValueError, KeyError, TypeError):
        return []
