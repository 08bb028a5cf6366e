"""The token cache: a corpus as token ids, made once, in flat files that are memory-mapped.

``CACHE/tokens/KEY/`` holds ``train.bin`` and ``heldout.bin`` (little-endian uint16, or uint32 for
large vocabularies; each document followed by [SEP]), ``manifest.json``, and the digests of the three,
which each process compares once before it reads a token. The key is made from the fingerprints of
corpus and tokenizer, so another text or tokenizer is another cache. Memory holds
three chunks of documents, however large the corpus is: one that is being read, one that all cores
encode, and one that is being written.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from objbench.data.atomic_folder import built_once
from objbench.data.corpus import Corpus
from objbench.data.tokenizer import TokenizerHandle
from objbench.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

CACHE_VERSION = 3
"""Part of every key: raised whenever the same text would give different files."""

CHUNK_CHARACTERS = 4_000_000
CHUNK_DOCUMENTS = 8192
"""The most characters and documents of a chunk, which all cores encode together."""

MANIFEST = "manifest.json"
_log = logging.getLogger(__name__)


class PartManifest(BaseModel):
    """The contents of one file of the cache: documents, tokens, bytes, and the sha256 in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    documents: int
    tokens: int
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """The contents of a cache folder and what it was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int
    corpus: str
    corpus_fingerprint: str
    tokenizer: str
    tokenizer_fingerprint: str
    dtype: Literal["uint16", "uint32"]
    separator: int
    train: PartManifest
    heldout: PartManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCache:
    """A corpus as token ids.

    Attributes:
        folder: where it is.
        manifest: its contents.
        train: (N,) uint16 or uint32, the training stream, mapped read-only.
        heldout: the held-out stream, likewise.
    """

    folder: Path
    manifest: Manifest
    train: NDArray[np.uint16] | NDArray[np.uint32]
    heldout: NDArray[np.uint16] | NDArray[np.uint32]


def open_token_cache(
    corpus: Corpus,
    tokenizer: TokenizerHandle,
    cache_dir: Path | str,
    progress: Callable[[int], None] | None = None,
) -> TokenCache:
    """The token cache of ``corpus``, made now if it does not exist.

    Args:
        corpus: the text.
        tokenizer: turns it into ids.
        cache_dir: where caches are; made if it is missing.
        progress: called from time to time with the number of tokens written so far.

    Raises:
        DataError: the corpus cannot be read or is empty, or the cache cannot be written or is
            damaged.
    """
    text = f"{CACHE_VERSION}\x1f{corpus.fingerprint}\x1f{tokenizer.fingerprint}"
    folder = Path(cache_dir) / "tokens" / hashlib.sha256(text.encode()).hexdigest()[:32]
    built_once(folder, lambda made: _write(made, corpus, tokenizer, progress))
    cache = _open(folder)
    found = cache.manifest.corpus_fingerprint, cache.manifest.tokenizer_fingerprint
    if found != (corpus.fingerprint, tokenizer.fingerprint):
        raise _damaged(folder, "it is of another corpus or tokenizer")
    return cache


def _open(folder: Path) -> TokenCache:
    """The cache in ``folder``, which is known to be as it was written."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(folder, f"{MANIFEST} is missing or malformed") from error
    streams = {}
    for name in ("train", "heldout"):
        path = folder / f"{name}.bin"
        streams[name] = np.memmap(path, dtype=np.dtype(manifest.dtype).newbyteorder("<"), mode="r")
    return TokenCache(folder=folder, manifest=manifest, **streams)


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(f"token cache {folder} is damaged ({what}): delete that folder and run again")


class _PartWriter:
    """Appends token ids to one file and keeps count of them."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._stream = path.open("wb")
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._hash = hashlib.sha256()
        self._documents = 0
        self.tokens = 0

    def append(self, ids: list[int], documents: int) -> None:
        raw = np.array(ids, dtype=self._dtype).tobytes()
        self._stream.write(raw)
        self._hash.update(raw)
        self._documents += documents
        self.tokens += len(ids)

    def close(self) -> PartManifest:
        self._stream.close()
        return PartManifest(
            documents=self._documents,
            tokens=self.tokens,
            bytes=self.tokens * self._dtype.itemsize,
            sha256=self._hash.hexdigest(),
        )


def _write(
    folder: Path,
    corpus: Corpus,
    tokenizer: TokenizerHandle,
    progress: Callable[[int], None] | None,
) -> None:
    """Tokenises the whole corpus into ``folder``."""
    vocabulary = tokenizer.vocabulary()
    dtype: Literal["uint16", "uint32"] = "uint16" if vocabulary.size <= 1 << 16 else "uint32"
    _log.info("tokenising %s with %s", corpus.name, tokenizer.name)
    writers = [_PartWriter(folder / f"{name}.bin", dtype) for name in ("train", "heldout")]
    encoder = tokenizer.encoder()
    for chunk, encodings in _encoded(_chunks(corpus.parts()), encoder):
        for part, ids, documents in _joined(chunk, encodings, vocabulary.sep):
            writers[part].append(ids, documents)
        if progress is not None:
            progress(sum(writer.tokens for writer in writers))
    train, heldout = (writer.close() for writer in writers)
    if not train.tokens or not heldout.tokens:
        raise DataError(
            f"corpus {corpus.name} gives no tokens with tokenizer {tokenizer.name}: use one made "
            "for its language"
        )
    manifest = Manifest(
        version=CACHE_VERSION,
        corpus=corpus.name,
        corpus_fingerprint=corpus.fingerprint,
        tokenizer=tokenizer.name,
        tokenizer_fingerprint=tokenizer.fingerprint,
        dtype=dtype,
        separator=vocabulary.sep,
        train=train,
        heldout=heldout,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


Chunk = list[tuple[str, bool]]
"""Documents, each with whether it is held out."""


def _chunks(parts: Iterator[tuple[str, bool]]) -> Iterator[Chunk]:
    """``parts`` in lists of bounded size."""
    chunk: Chunk = []
    characters = 0
    for document, is_heldout in parts:
        chunk.append((document, is_heldout))
        characters += len(document)
        if characters >= CHUNK_CHARACTERS or len(chunk) >= CHUNK_DOCUMENTS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _encoded(
    chunks: Iterator[Chunk], encoder: Tokenizer
) -> Iterator[tuple[Chunk, Sequence[Encoding]]]:
    """Each chunk with the encodings of its documents.

    `tokenizers` encodes on all cores and without Python's lock. So that these do not wait for the
    thread that reads and writes, a chunk is encoded while the next one is read and the caller
    writes the previous one.
    """

    def encode(chunk: Chunk) -> Sequence[Encoding]:
        texts = [text for text, _ in chunk]
        encodings: Sequence[Encoding] = encoder.encode_batch_fast(texts, add_special_tokens=False)
        return encodings

    under_way: tuple[Chunk, Future[Sequence[Encoding]]] | None = None
    with ThreadPoolExecutor(max_workers=1) as worker:
        for chunk in chunks:
            following = chunk, worker.submit(encode, chunk)
            if under_way is not None:
                yield under_way[0], under_way[1].result()
            under_way = following
        if under_way is not None:
            yield under_way[0], under_way[1].result()


def _joined(
    chunk: Chunk, encodings: Sequence[Encoding], separator: int
) -> Iterator[tuple[int, list[int], int]]:
    """Yields (0 for training or 1 for held-out, ids with separators, documents) of a chunk."""
    ids: tuple[list[int], list[int]] = ([], [])
    documents = [0, 0]
    for (_, is_heldout), encoding in zip(chunk, encodings, strict=True):
        if encoded := encoding.ids:
            ids[is_heldout].extend(encoded)
            ids[is_heldout].append(separator)
            documents[is_heldout] += 1
    yield from ((part, ids[part], documents[part]) for part in (0, 1) if ids[part])
