"""Where a run is, as the command line names it: a folder, or a URL in an object store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.plugin_arguments import default_cache
from objbench.cli.terminal import say
from objbench.errors import ConfigError, StorageError
from objbench.results.object_store import ObjectStore, is_url
from objbench.results.remote_run import copy_run, put_page, scratch_folder
from objbench.results.usable_store import open_object_store


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a run is.

    Attributes:
        folder: the run folder; of a run in an object store, this machine's for it.
        store: where its plan and records are; None for the folder itself.
    """

    folder: Path
    store: ObjectStore | None = None

    def __str__(self) -> str:
        return str(self.folder) if self.store is None else self.store.url

    def planned(self) -> Path:
        """The folder of a run that has been planned, as a page needs it.

        Raises:
            RecordError: no run was planned there; the place is named as the user named it.
        """
        if self.store is not None:
            from objbench.results.run_folder import RunFolder

            RunFolder(self.folder, self.store).require_plan()
        return self.folder

    def refresh(self, *, logs: bool = False) -> None:
        """Bring what a page is made from into the folder, and the logs that are published with it."""
        if self.store is not None:
            try:
                copy_run(self.store, self.folder, logs=logs)
            except OSError as error:
                raise ConfigError(
                    f"{self} cannot be copied to {self.folder}: {error.strerror}"
                ) from error

    def put_page(self) -> None:
        """Store the page that was written into the folder, and say where."""
        if self.store is not None:
            try:
                put_page(self.store, self.folder / "leaderboard")
                say(f"stored: {self}/leaderboard/")
            except OSError as error:
                raise StorageError(
                    f"the page is in {self.folder} but cannot be stored in {self}: {error.strerror}"
                ) from error


def place(text: str) -> Path | ObjectStore:
    """A folder, or a URL of an object store such as s3://BUCKET/RUN.

    Raises:
        ValueError: it is empty, or names a bucket only.
    """
    if not is_url(text):
        return read.path(text)
    bucket, _, below = text.partition("://")[2].rstrip("/").partition("/")
    if not bucket or not below:
        raise ValueError(f"{text!r} names no run in a bucket: write it as s3://BUCKET/RUN")
    return ObjectStore(text.rstrip("/"))


def run_place(
    given: Path | ObjectStore,
    cache: Path | None = None,
    *,
    is_copied: bool = True,
    logs: bool = False,
) -> RunPlace:
    """The run at ``given``, once its store has been looked at and the small files copied.

    Args:
        given: as ``place`` read it.
        cache: as for ``run``; what --cache names when it is given.
        is_copied: whether a page is to be made from the folder, for which the files are copied.
        logs: whether records are to be published, with which the logs of pretrainings go.

    Raises:
        ConfigError: the store cannot be used.
    """
    if not isinstance(given, ObjectStore):
        return RunPlace(given)
    store = open_object_store(given.url)
    found = RunPlace(scratch_folder(store, cache or default_cache()), store)
    if is_copied:
        found.refresh(logs=logs)
    return found
