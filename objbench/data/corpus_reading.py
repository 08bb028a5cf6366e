"""One pass over the documents of a corpus: which are held out, and where another pass can go on.

The held-out part is made of the files that are named so (``objbench.data.file_roles``); without one, it
is every document whose text hashes into the lowest 1%, so that the part of a document does not depend on
the rest of the corpus.

No document is in both parts, whoever made the split: copies of a document have the same hash, and
those of a held-out document are left out of the training files. A long record is cut into pieces
after its part is decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict

from objbench.data.document_files import pieces
from objbench.errors import DataError

if TYPE_CHECKING:
    from objbench.data.corpus import Corpus

HELDOUT_SHARE = 0.01
HELDOUT_CHARACTERS = 16_000_000
"""The held-out part ends here (about 4M tokens); later documents that hash into it are in neither
part, so that none leaks into training."""

SCANNED_DOCUMENTS = 4096
"""The number of first documents that are searched for one to hold out; at 1%, one is found."""


class Place(BaseModel):
    """Where a pass over a corpus is: all that a later one needs to go on with the next piece.

    Attributes:
        stream: where the document begins that the last piece is of, as its ``Stream`` knows it.
        held_out: characters of the held-out documents before that one.
        trained: training documents before that one.
        pieces: pieces of that document that were read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    stream: dict[str, Any]
    held_out: int
    trained: int
    pieces: int


class Stream(Protocol):
    """Documents in order, of which reading can begin at any."""

    @property
    def place(self) -> dict[str, Any]:
        """Where the document begins that was yielded last; can be stored as JSON."""

    def __iter__(self) -> Iterator[str]:
        """Yields the documents."""


class Reading:
    """Yields (document, is held out) for a corpus in one pass, in a fixed order.

    Args:
        corpus: what is read.
        left_out: called with how many training documents are held out too.
        start: the place of an earlier pass, to yield what it had not yielded; the whole when None.
    """

    def __init__(
        self, corpus: Corpus, left_out: Callable[[int], None], start: Place | None = None
    ) -> None:
        self._corpus, self._left_out = corpus, left_out
        self._stream = corpus.stream and corpus.stream(start.stream if start else None)
        self._held_out, self._trained, self._pieces = (
            (start.held_out, start.trained, start.pieces) if start else (0, 0, 0)
        )
        self._before = self._held_out, self._trained

    @property
    def place(self) -> Place | None:
        """Where the pass is; None for a corpus that can only be read from its beginning."""
        if self._stream is None:
            return None
        held_out, trained = self._before
        return Place(
            stream=self._stream.place, held_out=held_out, trained=trained, pieces=self._pieces
        )

    def __iter__(self) -> Iterator[tuple[str, bool]]:
        """Yields the documents, cut into pieces.

        Raises:
            DataError: a document cannot be read, or one of the two parts is empty.
        """
        read_before = self._pieces
        for document, is_heldout in self._marked():
            self._before = self._held_out, self._trained
            if not is_heldout:
                self._trained += 1
            elif self._held_out >= HELDOUT_CHARACTERS and self._corpus.heldout_source is None:
                continue
            else:
                self._held_out += len(document)
            # Cut only now: the pieces of one document stay in one part.
            for number, piece in enumerate(pieces(document), start=1):
                if number > read_before and (piece := piece.strip()):
                    self._pieces = number
                    yield piece, is_heldout
            read_before = 0
        self._require_both()

    def _require_both(self) -> None:
        name = self._corpus.name
        if not self._trained and not self._held_out:
            raise DataError(f"corpus {name} holds no text: give one with documents in it")
        if not self._trained:
            raise DataError(
                f"corpus {name} holds a single document, or only held-out ones, so nothing is "
                "left to train on: separate documents by blank lines, or add a file heldout.txt "
                "to its folder"
            )
        if not self._held_out:
            raise DataError(f"corpus {name}: the held-out file holds no text: fill it or remove it")

    def _marked(self) -> Iterator[tuple[str, bool]]:
        if self._corpus.heldout_source is not None:
            yield from self._of_named_parts(self._corpus.heldout_source())
            return
        share = self._heldout_share()
        documents = self._corpus.source() if self._stream is None else self._stream
        yield from ((document, text_share(document) <= share) for document in documents)

    def _of_named_parts(self, heldout_documents: Iterator[str]) -> Iterator[tuple[str, bool]]:
        """The documents of the held-out files, then those of the others that are none of them."""
        heldout: set[bytes] = set()
        for document in heldout_documents:
            heldout.add(_digest(document))
            yield document, True
        copies = 0
        for document in self._corpus.source():
            if _digest(document) in heldout:
                copies += 1
            else:
                yield document, False
        if copies:
            self._left_out(copies)

    def _heldout_share(self) -> float:
        """HELDOUT_SHARE, or the smallest share that holds out one of the first documents."""
        least = 1.0
        for document in islice(self._corpus.source(), SCANNED_DOCUMENTS):
            least = min(least, text_share(document))
            if least <= HELDOUT_SHARE:
                return HELDOUT_SHARE
        return least


def text_share(document: str) -> float:
    """A number in [0, 1), an evenly distributed function of the text."""
    return int.from_bytes(_digest(document), "big") / 2**48


def _digest(document: str) -> bytes:
    """48 bits of the text's hash; the kind of its line breaks does not matter."""
    text = document.replace("\r\n", "\n")
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
