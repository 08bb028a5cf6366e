"""A run in an object store, with a folder of this machine for what has to be files.

The plan, the records and what was measured are objects, read and written as such. Encoders are
made in the folder and put into the store; the page is made from a copy of the small objects. The
logs of pretrainings are copied for whoever publishes them.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from objbench.errors import one_line
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore

_AT_ONCE = 32
_TRIES = 5
COPIED = (
    "plan.json",
    "overhead.json",
    "lines.json",
    "records/",
    "attempts/",
    "segments/",
    "costs/",
)
"""What a page is made from: names, or the beginnings of names."""
_LOGS = "losses"  # Not imported: the command line names places before pydantic is loaded.


def scratch_folder(store: ObjectStore, cache: Path) -> Path:
    """The folder of this machine for the run in ``store``; its last name is that of the run."""
    key = hashlib.sha256(store.url.encode()).hexdigest()[:16]
    return cache / "runs" / key / (one_line(store.url.rsplit("/", 1)[-1]) or "run")


def copy_run(store: ObjectStore, folder: Path, *, logs: bool = False) -> None:
    """Make the plan, the records and the measurements in ``folder`` those of ``store``.

    Args:
        store: of the run.
        folder: of this machine for it.
        logs: bring the logs of its pretrainings too.

    Raises:
        OSError: one cannot be fetched or written.
        ConfigError: a name in the store leads out of the folder.
    """
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):  # A record was packed meanwhile.
            return _copy(store, LocalStore(folder), logs)
    _copy(store, LocalStore(folder), logs)


def _copy(store: ObjectStore, here: LocalStore, logs: bool) -> None:
    there = {*_copied(store.list(""))}
    for name in {*_copied(here.list(""))} - there:
        here.delete(name)
    if logs:
        # Looked for last, so that none is missing of a record that was found.
        there |= {*store.list(_LOGS)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for name, content in pool.map(lambda name: (name, store.read(name)), sorted(there)):
            here.write(name, content)


def put_page(store: ObjectStore, page: Path) -> None:
    """Store the files in the folder ``page`` under its name."""
    for path in sorted(page.rglob("*")):
        if path.is_file():
            store.upload(path, path.relative_to(page.parent).as_posix())


def _copied(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(COPIED)]
