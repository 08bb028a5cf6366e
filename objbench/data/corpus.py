"""A corpus: training documents, held-out documents, and a fingerprint of both.

Documents come lazily and in a fixed order, so memory does not grow with the corpus. The held-out
part is made of the files that are named so (``objbench.data.file_roles``); without one, it is every
document whose text hashes into the lowest 1%, so that the part of a document does not depend on the
rest of the corpus.

No document is in both parts, whoever made the split: copies of a document have the same hash, and
those of a held-out document are left out of the training files. A long record is cut into pieces
after its part is decided.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from objbench.data.corpus_files import find_files, require_files
from objbench.data.document_files import kind_of, pieces, read_documents
from objbench.data.hub_documents import PREFIX, open_hub, parts_of_hub_name
from objbench.errors import DataError

CORPUS_VERSION = 2
"""Part of every fingerprint: raised whenever documents or their split would change."""

HELDOUT_SHARE = 0.01
HELDOUT_CHARACTERS = 16_000_000
"""The held-out part ends here (about 4M tokens); later documents that hash into it are in neither
part, so that none leaks into training."""

SCANNED_DOCUMENTS = 4096
"""The number of first documents that are searched for one to hold out; at 1%, one is found."""

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
    """

    name: str
    fingerprint: str
    source: Source
    heldout_source: Source | None = None
    summary: str = ""

    def parts(self) -> Iterator[tuple[str, bool]]:
        """Yields (document, is held out) for the whole corpus in one pass, in a fixed order.

        Raises:
            DataError: a document cannot be read, or one of the two parts is empty.
        """
        yield from self._parts(self._warn)

    def _parts(self, left_out: Callable[[int], None]) -> Iterator[tuple[str, bool]]:
        """``parts``; ``left_out`` is called with how many training documents are held out too."""
        held_out = trained = 0
        for document, is_heldout in self._marked(left_out):
            if not is_heldout:
                trained += 1
            elif held_out >= HELDOUT_CHARACTERS and self.heldout_source is None:
                continue
            else:
                held_out += len(document)
            # Cut only now: the pieces of one document stay in one part.
            for piece in pieces(document):
                if piece := piece.strip():
                    yield piece, is_heldout
        if not trained and not held_out:
            raise DataError(f"corpus {self.name} holds no text: give one with documents in it")
        if not trained:
            raise DataError(
                f"corpus {self.name} holds a single document, or only held-out ones, so nothing is "
                "left to train on: separate documents by blank lines, or add a file heldout.txt "
                "to its folder"
            )
        if not held_out:
            raise DataError(
                f"corpus {self.name}: the held-out file holds no text: fill it or remove it"
            )

    def training(self) -> Iterator[str]:
        """The training documents."""
        return (document for document, is_heldout in self._parts(_no_report) if not is_heldout)

    def heldout(self) -> Iterator[str]:
        """The held-out documents."""
        return (document for document, is_heldout in self._parts(_no_report) if is_heldout)

    def _marked(self, left_out: Callable[[int], None]) -> Iterator[tuple[str, bool]]:
        if self.heldout_source is not None:
            yield from self._of_named_parts(self.heldout_source, left_out)
            return
        share = self._heldout_share()
        yield from ((document, text_share(document) <= share) for document in self.source())

    def _of_named_parts(
        self, heldout_source: Source, left_out: Callable[[int], None]
    ) -> Iterator[tuple[str, bool]]:
        """The documents of the held-out files, then those of the others that are none of them."""
        heldout: set[bytes] = set()
        for document in heldout_source():
            heldout.add(_digest(document))
            yield document, True
        copies = 0
        for document in self.source():
            if _digest(document) in heldout:
                copies += 1
            else:
                yield document, False
        if copies:
            left_out(copies)

    def _warn(self, copies: int) -> None:
        _log.warning(
            "corpus %s: %s training documents are copies of held-out ones and are left out",
            self.name,
            f"{copies:,}",
        )

    def _heldout_share(self) -> float:
        """HELDOUT_SHARE, or the smallest share that holds out one of the first documents."""
        least = 1.0
        for document in islice(self.source(), SCANNED_DOCUMENTS):
            least = min(least, text_share(document))
            if least <= HELDOUT_SHARE:
                return HELDOUT_SHARE
        return least


def _no_report(copies: int) -> None:
    """``parts`` has reported it, or will."""


def text_share(document: str) -> float:
    """A number in [0, 1), an evenly distributed function of the text."""
    return int.from_bytes(_digest(document), "big") / 2**48


def _digest(document: str) -> bytes:
    """48 bits of the text's hash; the kind of its line breaks does not matter."""
    text = document.replace("\r\n", "\n")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()


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
        return Corpus(name=spec, fingerprint=key, source=hub.documents)
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
        require_files(spec, column)


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
    )


def _fingerprint(*parts: str) -> str:
    text = "\x1f".join([str(CORPUS_VERSION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()
