"""A corpus: training documents, held-out documents, and a fingerprint of both.

Documents come lazily and in a fixed order, so memory does not grow with the corpus. The held-out
part is a file named ``heldout.*``; without one, it is every document whose text hashes into the
lowest 1%, so that all copies of a document are in the same part, and the part of a document does
not depend on the rest of the corpus.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from objbench.data.document_files import READABLE, kind_of, read_documents
from objbench.data.hub_documents import PREFIX, open_hub
from objbench.errors import DataError

CORPUS_VERSION = 1
"""Part of every fingerprint: raised whenever documents or their split would change."""

HELDOUT_SHARE = 0.01
HELDOUT_CHARACTERS = 16_000_000
"""The held-out part ends here (about 4M tokens); later documents that hash into it are in neither
part, so that none leaks into training."""

SCANNED_DOCUMENTS = 4096
"""The number of first documents that are searched for one to hold out; at 1%, one is found."""

Source = Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Documents that can be read any number of times.

    Attributes:
        name: as the user wrote it, for messages.
        fingerprint: sha256 in hex of everything that determines the documents and their split.
        source: yields all documents except those of a held-out file.
        heldout_source: yields the documents of the held-out file; None if there is no such file.
    """

    name: str
    fingerprint: str
    source: Source
    heldout_source: Source | None = None

    def parts(self) -> Iterator[tuple[str, bool]]:
        """Yields (document, is held out) for the whole corpus in one pass, in a fixed order.

        Raises:
            DataError: a document cannot be read, or one of the two parts is empty.
        """
        held_out = trained = 0
        for document, is_heldout in self._marked():
            if not is_heldout:
                trained += 1
            elif held_out >= HELDOUT_CHARACTERS and self.heldout_source is None:
                continue
            else:
                held_out += len(document)
            yield document, is_heldout
        if not trained and not held_out:
            raise DataError(f"corpus {self.name} holds no text: give one with documents in it")
        if not trained:
            raise DataError(
                f"corpus {self.name} holds a single document, so nothing is left to train on: "
                "separate documents by blank lines, or add a file heldout.txt to its folder"
            )
        if not held_out:
            raise DataError(
                f"corpus {self.name}: the held-out file holds no text: fill it or remove it"
            )

    def training(self) -> Iterator[str]:
        """The training documents."""
        return (document for document, is_heldout in self.parts() if not is_heldout)

    def heldout(self) -> Iterator[str]:
        """The held-out documents."""
        return (document for document, is_heldout in self.parts() if is_heldout)

    def _marked(self) -> Iterator[tuple[str, bool]]:
        if self.heldout_source is not None:
            yield from ((document, True) for document in self.heldout_source())
            yield from ((document, False) for document in self.source())
            return
        share = self._heldout_share()
        yield from ((document, text_share(document) <= share) for document in self.source())

    def _heldout_share(self) -> float:
        """HELDOUT_SHARE, or the smallest share that holds out one of the first documents."""
        least = 1.0
        for document in islice(self.source(), SCANNED_DOCUMENTS):
            least = min(least, text_share(document))
            if least <= HELDOUT_SHARE:
                return HELDOUT_SHARE
        return least


def text_share(document: str) -> float:
    """A number in [0, 1), an evenly distributed function of the text."""
    digest = hashlib.blake2b(document.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


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
    return _of_files(spec, _find(spec), column)


def _toy(seed: int, documents: int) -> Corpus:
    # Imported here: only the demo and the tests need the generated language.
    from objbench.data.toy import language as toy_language

    def source() -> Iterator[str]:
        for sentences in toy_language.toy_documents(seed, documents=documents):
            yield "\n".join(sentences)

    key = _fingerprint("toy", str(toy_language.TOY_VERSION), str(seed), str(documents))
    return Corpus(name="toy", fingerprint=key, source=source)


def _of_files(spec: str, paths: list[Path], column: str) -> Corpus:
    heldout = [path for path in paths if path.name.lower().startswith("heldout.")]
    if len(heldout) == len(paths):
        heldout = []  # the held-out file itself was given as the corpus
    training = [path for path in paths if path not in heldout]
    try:
        if not any(path.stat().st_size for path in training):
            raise DataError(f"corpus {spec} is empty: give one with documents in it")
        digests = [f"{path in heldout}{kind_of(path)}{_sha256(path)}" for path in paths]
    except OSError as error:
        raise DataError(
            f"{error.filename}: cannot be read ({error.strerror}): check its permissions"
        ) from error

    def documents(of: list[Path]) -> Source:
        return lambda: (text for path in of for text in read_documents(path, column))

    return Corpus(
        name=spec,
        fingerprint=_fingerprint("files", column, *digests),
        source=documents(training),
        heldout_source=documents(heldout) if heldout else None,
    )


def _find(spec: str) -> list[Path]:
    """The readable files that ``spec`` names, ordered by path."""
    path = Path(spec).expanduser()
    if path.is_file():
        if kind_of(path) is None:
            raise DataError(f"{path}: unknown kind of file: {READABLE}")
        return [path]
    if path.is_dir():
        found, what = _files_under(path), f"folder {path}"
    elif glob.has_magic(spec):
        # Path.glob takes no absolute pattern.
        matches = glob.iglob(str(path), recursive=True)
        found, what = [Path(match) for match in matches if Path(match).is_file()], f"glob {spec}"
        if not found:
            raise DataError(f"corpus {spec}: the glob matches no file: check it, and quote it")
    else:
        raise DataError(f"corpus {spec}: no such file or folder: check the path")
    readable = [file for file in found if kind_of(file) is not None]
    if not readable:
        raise DataError(f"corpus {what} holds no file that can be read: {READABLE}")
    return sorted(readable, key=lambda file: file.as_posix())


def _files_under(folder: Path) -> list[Path]:
    """All files below ``folder`` except hidden ones; links to folders are followed once each."""
    found: list[Path] = []
    visited: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in visited else [n for n in folders if not n.startswith(".")]
        if real not in visited:
            found += (Path(place, name) for name in names if not name.startswith("."))
        visited.add(real)
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fingerprint(*parts: str) -> str:
    text = "\x1f".join([str(CORPUS_VERSION), *parts])
    return hashlib.sha256(text.encode()).hexdigest()
