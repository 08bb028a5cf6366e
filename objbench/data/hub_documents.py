"""Streams the documents of a data set on the Hugging Face hub, without running its code.

The data set is pinned to one commit when it is opened, and that commit is its fingerprint. A name
written with a full commit (``NAME@COMMIT``) can be opened offline, so a token cache that was built
online can be used offline. A stream that breaks off is continued at the exact document: the client
skips the files before it, so that they are not fetched again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from objbench.errors import ConfigError, DataError, HubError, one_line

PREFIX = "hf:"
TIMEOUT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """One column of one data set at one commit.

    Attributes:
        name: the data set, such as "Salesforce/wikitext".
        config: its configuration; None for the only or default one.
        column: the column that holds the text.
        commit: the full commit hash that is read.
    """

    name: str
    config: str | None
    column: str
    commit: str

    def documents(self) -> Iterator[str]:
        """Yields the non-empty texts of the split "train", in the data set's order.

        Raises:
            HubError: the hub is out of reach, or has no such configuration or split.
            DataError: there is no such column, or it does not hold text.
        """
        yield from self.stream()

    def stream(self, start: dict[str, Any] | None = None) -> HubStream:
        """The same from the place of an earlier stream on; see ``HubStream``."""
        return HubStream(self, start)


class HubStream:
    """The documents of a data set, of which reading can begin at any without those before it.

    Args:
        source: the data set.
        start: the place of the first document; None for the first of all.
    """

    def __init__(self, source: HubSource, start: dict[str, Any] | None = None) -> None:
        self._source = source
        self._state: dict[str, Any] | None = start["state"] if start else None
        self._row: int = start["row"] if start else 0

    @property
    def place(self) -> dict[str, Any]:
        """Where the document is that was yielded last.

        "state" is the client's before a batch of rows, and "row" the document's row in that batch.
        """
        return {"state": self._state, "row": self._row}

    def __iter__(self) -> Iterator[str]:
        """Yields the documents; raises as ``HubSource.documents``."""
        import datasets

        source, first = self._source, self._row
        try:
            rows = datasets.load_dataset(
                source.name, source.config, split="train", revision=source.commit, streaming=True
            )
            if self._state is not None:
                rows.load_state_dict(self._state)
            for batch in rows.iter(batch_size=256):
                for row, text in enumerate(self._texts(batch)):
                    if row >= first and text:
                        self._row = row
                        yield text
                self._state, first = rows.state_dict(), 0
        except DataError:
            raise
        except Exception as error:
            # The client's exceptions come from four libraries; each means "cannot be streamed".
            raise _unreachable(source.name, error) from error

    def _texts(self, batch: dict[str, list[object]]) -> Iterator[str]:
        """The text of each row of a batch, "" where there is none."""
        name, column, config = self._source.name, self._source.column, self._source.config
        if column not in batch:
            known = ", ".join(batch)
            raise DataError(
                f'{PREFIX}{name}: no column "{column}" (columns: {known}): '
                f"write {PREFIX}{name}:{config or ''}:COLUMN"
            )
        for text in batch[column]:
            if not isinstance(text, str | None):
                kind = type(text).__name__
                raise DataError(
                    f'{PREFIX}{name}: column "{column}" holds {kind}, not text: name another column'
                )
            yield (text or "").strip()


def open_hub(spec: str, column: str) -> HubSource:
    """Finds the commit of ``hf:NAME[@COMMIT][:CONFIG][:COLUMN]``; parts may be left empty.

    Args:
        spec: what the user wrote.
        column: the column if ``spec`` names none.

    Raises:
        ConfigError: ``spec`` is malformed.
        HubError: the hub is out of reach or does not know the name.
    """
    name, revision, config, chosen = parts_of_hub_name(spec)
    if not re.fullmatch(r"[0-9a-f]{40}", revision):
        revision = _commit(name, revision or None)
    return HubSource(name=name, config=config or None, column=chosen or column, commit=revision)


def parts_of_hub_name(spec: str) -> tuple[str, str, str, str]:
    """(name, revision, configuration, column) of ``hf:NAME[@COMMIT][:CONFIG][:COLUMN]``, or "".

    Raises:
        ConfigError: ``spec`` is malformed.
    """
    parts = spec.removeprefix(PREFIX).split(":")
    name, _, revision = parts[0].partition("@")
    if len(parts) > 3 or not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name):
        raise ConfigError(f"corpus {spec!r} is malformed: write hf:NAME[:CONFIG][:COLUMN]")
    config, column = [*parts[1:], "", ""][:2]
    return name, revision, config, column


def _commit(name: str, revision: str | None) -> str:
    """The commit that ``revision`` of data set ``name`` currently refers to."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().dataset_info(name, revision=revision, timeout=TIMEOUT_SECONDS)
    except Exception as error:  # as above: the client's exceptions have no common ancestor
        raise _unreachable(name, error) from error
    return str(info.sha)


def _unreachable(name: str, error: Exception) -> HubError:
    reason = one_line(error)[:300] or type(error).__name__
    return HubError(
        f"{PREFIX}{name}: cannot be read from the hub ({reason}): check the name, the "
        "configuration and the connection, or pass a local file or folder"
    )
