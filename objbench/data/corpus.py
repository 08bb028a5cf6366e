"""A corpus: training documents, held-out documents, and a fingerprint of both.

Documents come lazily and in a fixed order, so memory does not grow with the corpus. Which of them are
held out is decided while they are read, by ``objbench.data.corpus_reading``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from objbench.data.corpus_files import files_to_read, find_files
from objbench.data.corpus_reading import Place, Reading, Stream
from objbench.data.document_files import kind_of, read_documents
from objbench.data.hub_documents import PREFIX, open_hub, parts_of_hub_name
from objbench.errors import DataError

CORPUS_VERSION = 2
"""Part of every fingerprint: raised whenever documents or their split would change."""

_log = logging.getLogger(__name__)

Source = Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents that can be read any number of times.

    Attributes:
        name: as the user wrote it, for messages.
        fingerprint: sha256 in hex of everything that determines the documents and their split.
        source: yields all documents except those of a held-out file.
        heldout_source: yields the documents of the held-out files; None if there are none.
        summary: which files are read as what, and which are not read and why; "" if that is plain.
        stream: as ``source``, but from a place on that an earlier stream had, or from the first
            document; None where the documents before a place have to be read again.
        bytes: of its files, packed as they are; 0 where that is not known.
    """

    name: str
    fingerprint: str
    source: Source
    heldout_source: Source | None = None
    summary: str = ""
    stream: Callable[[dict[str, Any] | None], Stream] | None = None
    bytes: int = 0

    def parts(self) -> Iterator[tuple[str, bool]]:
        """Yields (document, is held out) for the whole corpus in one pass, in a fixed order.

        Raises:
            DataError: a document cannot be read, or one of the two parts is empty.
        """
        yield from self.reading()

    def reading(self, start: Place | None = None) -> Reading:
        """The same as a pass that knows its place, from ``start`` on where that is given."""
        return Reading(self, self._warn, start)

    def training(self) -> Iterator[str]:
        """The training documents."""
        return (document for document, is_heldout in Reading(self, _no_report) if not is_heldout)

    def heldout(self) -> Iterator[str]:
        """The held-out documents."""
        return (document for document, is_heldout in Reading(self, _no_report) if is_heldout)

    def _warn(self, copies: int) -> None:
        _log.warning(
            "corpus %s: %s training documents are copies of held-out ones and are left out",
            self.name,
            f"{copies:,}",
        )


def _no_report(copies: int) -> None:
    """``parts`` has reported it, or will."""


def open_corpus(
    spec: str, *, column: str = "text", toy_seed: int = 0, toy_documents: int = 4000
) -> Corpus:
    """Opens ``--corpus``; reads only what the fingerprint needs.

    Args:
        spec: "toy", a file, a folder (searched recursively), a glob, or
            "hf:NAME[:CONFIG][:COLUMN]".
        column: the JSON field or column that holds the text.
        toy_seed: the seed of the generated corpus "toy".
        toy_documents: how many documents "toy" has.

    Raises:
        DataError: it does not exist, nothing in it is readable, or all of it is empty.
        HubError: the hub is out of reach or does not know the name.
        ConfigError: a malformed hub name.
    """
    if spec == "toy":
        return _toy(toy_seed, toy_documents)
    if spec.startswith(PREFIX):
        hub = open_hub(spec, column)
        key = _fingerprint("hub", hub.name, hub.config or "", hub.column, hub.commit)
        return Corpus(name=spec, fingerprint=key, source=hub.documents, stream=hub.stream)
    return _of_files(spec, column)


def require_corpus(spec: str, *, column: str = "text") -> None:
    """Refuses what ``open_corpus`` refuses, but reads no whole file and asks no hub.

    Raises:
        DataError: it does not exist, nothing in it is readable, or all of it is empty.
        ConfigError: a malformed hub name.
    """
    if spec.startswith(PREFIX):
        parts_of_hub_name(spec)
    elif spec != "toy":
        files_to_read(spec, column)


def _toy(seed: int, documents: int) -> Corpus:
    # Imported here: only the demo and the tests need the generated language.
    from objbench.data.toy import language as toy_language

    def source() -> Iterator[str]:
        for sentences in toy_language.toy_documents(seed, documents=documents):
            yield "\n".join(sentences)

    key = _fingerprint("toy", str(toy_language.TOY_VERSION), str(seed), str(documents))
    return Corpus(name="toy", fingerprint=key, source=source)


def _of_files(spec: str, column: str) -> Corpus:
    files = find_files(spec, column)
    if not files.training:
        raise DataError(f"corpus {spec} has no file to train on ({files.summary()}): add one")
    digests = [
        f"{path in files.heldout}{kind_of(path)}{digest}" for path, digest in files.digests.items()
    ]

    def documents(of: list[Path]) -> Source:
        return lambda: (text for path in of for text in read_documents(path, column))

    return Corpus(
        name=spec,
        fingerprint=_fingerprint("files", column, *digests),
        source=documents(files.training),
        heldout_source=documents(files.heldout) if files.heldout else None,
        summary=files.summary(),
        bytes=sum(path.stat().st_size for path in files.digests),
    )


def _fingerprint(*parts: str) -> str:
    text = "\x1f".join([str(CORPUS_VERSION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()
