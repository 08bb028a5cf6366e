"""Labelled sentences, and their tokens in flat arrays cached on disk.

A data set is tokenised once for each tokenizer, in one call of the fast tokenizer, and stored as
three flat arrays; an example is a slice of them. Every cell of a study that fine-tunes on the
same data with the same tokenizer reads the same file, whichever objective made the encoder.

Shape legend: N examples, S tokens of all examples together.
"""

from __future__ import annotations

import hashlib
import logging
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from objbench.results.atomic_files import whole_file

if TYPE_CHECKING:
    from tokenizers import Encoding

    from objbench.data.tokenizer import TokenizerHandle

_log = logging.getLogger(__name__)

CACHE_VERSION = 4
"""Raised whenever the same sentences would give different arrays."""


@dataclass(frozen=True)
class Examples:
    """Labelled sentences or sentence pairs.

    Attributes:
        first: N sentences.
        second: N second sentences, or None where the task has single sentences.
        labels: (N,) int64 classes, or float32 targets of a regression.
    """

    first: Sequence[str]
    second: Sequence[str] | None
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """The examples numbered ``rows``, in that order."""
        second = self.second
        return Examples(
            first=[self.first[row] for row in rows],
            second=None if second is None else [second[row] for row in rows],
            labels=self.labels[rows],
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the sentences, their labels and their order."""
        digest = hashlib.blake2b(digest_size=16)
        for column in (self.first, self.second or ()):
            # The length keeps two columns apart from the same text split elsewhere.
            digest.update(f"{len(column)}\x1e".encode())
            digest.update("\x1f".join(column).encode("utf-8", "surrogatepass"))
        digest.update(str(self.labels.dtype).encode())
        digest.update(np.ascontiguousarray(self.labels).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Source:
    """Examples that are read only when they are needed.

    Attributes:
        fingerprint: the examples' fingerprint, known without reading them.
        load: reads them.
    """

    fingerprint: str
    load: Callable[[], Examples]


@dataclass(frozen=True, slots=True)
class TokenisedExamples:
    """Labelled token sequences in flat arrays.

    Attributes:
        ids: (S,) int32, the tokens of all examples, one example after the other.
        types: (S,) uint8, token types: 1 from the second sentence on, for encoders that have them.
        offsets: (N + 1,) int64; example i is ``ids[offsets[i]:offsets[i + 1]]``.
        labels: (N,) int64 classes, or float32 targets of a regression.
        pad: the token that fills a batch up.
    """

    ids: NDArray[np.int32]
    types: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    labels: NDArray[Any]
    pad: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) int64, tokens of each example."""
        return np.diff(self.offsets)


def tokenise(examples: Examples, tokenizer: TokenizerHandle, length: int) -> TokenisedExamples:
    """All examples tokenised in one call, laid out as in pretraining, cut to ``length`` tokens each.

    Of a pair, the longer text is cut first.
    """
    return joined(encodings(examples, tokenizer, length), examples.labels, tokenizer.layout.pad)


def encodings(examples: Examples, tokenizer: TokenizerHandle, length: int) -> Sequence[Encoding]:
    """What `tokenizers` makes of each example; see ``tokenise``."""
    backend = tokenizer.encoder()
    backend.enable_truncation(length)
    # As a corpus's documents are: white space at an end is a token in byte-level vocabularies.
    texts: list[Any] = [text.strip() for text in examples.first]
    if examples.second is not None:
        texts = [(one, two.strip()) for one, two in zip(texts, examples.second, strict=True)]
    made: Sequence[Encoding] = backend.encode_batch(texts)
    return made


def joined(made: Sequence[Encoding], labels: NDArray[Any], pad: int) -> TokenisedExamples:
    """The encodings of N examples in flat arrays."""
    ids = [np.array(encoding.ids, np.int32) for encoding in made]
    types = [np.array(encoding.type_ids, np.uint8) for encoding in made]
    return TokenisedExamples(
        ids=np.concatenate([np.zeros(0, np.int32), *ids]),
        types=np.concatenate([np.zeros(0, np.uint8), *types]),
        offsets=np.cumsum([0, *map(len, ids)], dtype=np.int64),
        labels=labels,
        pad=pad,
    )


def tokenised(
    source: Source, tokenizer: TokenizerHandle, length: int, cache: Path
) -> TokenisedExamples:
    """The tokenised examples, read from the cache or made now and stored there.

    Args:
        source: the examples; loaded only if the cache lacks them.
        length: most tokens of an example.
        cache: a folder; it is created.
    """
    parts = source.fingerprint, tokenizer.fingerprint, tokenizer.layout, length
    text = f"{CACHE_VERSION} {parts}"
    key = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    path = cache / f"examples-{key}.npz"
    try:
        return _read(path, key)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        # Absent or damaged: a cache is made again, never repaired.
        made = tokenise(source.load(), tokenizer, length)
    try:
        _store(path, key, made)
    except OSError as error:
        # What was made is as good as what is stored; the next evaluation makes it again.
        _log.warning("%s is not kept: %s", path, error.strerror or error)
    return made


def _read(path: Path, key: str) -> TokenisedExamples:
    """What is stored; one of many errors where it is not what was written under that key."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    written = str(arrays.pop("digest"))
    examples = TokenisedExamples(**{**arrays, "pad": int(arrays["pad"])})
    if _digest(key, examples) != written:
        _log.warning("%s is damaged and is made again", path)
        raise ValueError("the digest is another")
    return examples


def _digest(key: str, examples: TokenisedExamples) -> str:
    """Hash of everything in ``examples`` and of the key under which they are stored."""
    digest = hashlib.sha256(f"{key} {examples.pad}".encode())
    for array in (examples.ids, examples.types, examples.offsets, examples.labels):
        digest.update(f" {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _store(path: Path, key: str, examples: TokenisedExamples) -> None:
    with whole_file(path) as file:
        np.savez(
            file,
            ids=examples.ids,
            types=examples.types,
            offsets=examples.offsets,
            labels=examples.labels,
            pad=np.int64(examples.pad),
            digest=np.str_(_digest(key, examples)),
        )
