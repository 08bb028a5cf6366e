"""The token cache: a corpus as token ids, made once, in flat files that are memory-mapped.

``CACHE/tokens/KEY/`` holds ``train.bin`` and ``heldout.bin`` (little-endian uint16, or uint32 for
large vocabularies; each document followed by [SEP]), ``manifest.json``, and the digests of the three,
which each process compares once before it reads a token. The key is made from the fingerprints of
corpus and tokenizer, so another text or tokenizer is another cache, and who has the two fingerprints
opens it without the corpus.

A cache is put together from parts (``token_parts``), which one process makes one after the other or
several make side by side. A killed process loses the part that it was making.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from objbench.data.atomic_folder import built_once
from objbench.data.corpus import Corpus
from objbench.data.token_parts import MANIFEST, STREAMS, TokenParts
from objbench.data.tokenising import Width, make_parts, width
from objbench.data.tokenizer import TokenizerHandle
from objbench.errors import DataError
from objbench.results.local_store import LocalStore
from objbench.results.sealed_folder import sha256_of

CACHE_VERSION = 3
"""Part of every key: raised whenever the same text would give different files."""

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
    dtype: Width
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
    shared: TokenParts | None = None,
) -> TokenCache:
    """The token cache of ``corpus``, made now if it does not exist.

    Args:
        corpus: the text.
        tokenizer: turns it into ids.
        cache_dir: where caches are; made if it is missing.
        progress: called from time to time with the number of tokens written so far.
        shared: where its parts are and remain for other machines; it is whole there afterwards. When
            None, they are beside the cache until that is made.

    Raises:
        DataError: the corpus cannot be read or is empty, or the cache cannot be written or is
            damaged.
    """
    key = token_key(corpus.fingerprint, tokenizer.fingerprint)
    tokens, beside = Path(cache_dir) / "tokens", parts_beside(cache_dir, key)

    def build(made: Path) -> None:
        _log.info("tokenising %s with %s", corpus.name, tokenizer.name)
        if shared is not None and shared.whole() == shared.copies:
            _fetch(shared.copies, made)
            return
        parts = shared or beside
        make_parts(parts, corpus, tokenizer, progress=progress)
        documents = parts.join(made)
        manifest = _manifest(made, documents, corpus, tokenizer)
        (made / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")

    built_once(tokens / key, build)
    if (tokens / beside.folder).is_dir():
        beside.delete()
    cache = _open(tokens / key, corpus.fingerprint, tokenizer.fingerprint)
    if shared is not None and shared.whole() is None:
        if shared.numbers():
            make_parts(shared, corpus, tokenizer, progress=progress)
            parts = shared
        else:
            parts, manifest = shared.copies, cache.manifest
            parts.copy(cache.folder, (manifest.train.documents, manifest.heldout.documents))
        parts.put_manifest((cache.folder / MANIFEST).read_bytes())
    return cache


def open_known_cache(
    corpus_fingerprint: str,
    tokenizer: TokenizerHandle,
    cache_dir: Path | str,
    shared: TokenParts | None = None,
) -> TokenCache:
    """The token cache of a corpus that need not be here: this machine's, or else the shared one.

    Args:
        corpus_fingerprint, tokenizer: what it was made of.
        cache_dir: where caches are; the shared one is copied there.
        shared: where its parts are; None where nobody has shared it.

    Raises:
        DataError: it is in neither place, or is damaged, or cannot be written.
    """
    folder = Path(cache_dir) / "tokens" / token_key(corpus_fingerprint, tokenizer.fingerprint)

    def build(made: Path) -> None:
        whole = None if shared is None else shared.whole()
        if whole is None:
            where = f"not in {folder}"
            if shared is not None:
                where = f"neither in {folder} nor in {shared}"
            raise DataError(
                f"the tokenized text is {where}: name the cache that has it with --cache, or "
                "run the study once more with --executor workers where the corpus is"
            )
        _fetch(whole, made)

    built_once(folder, build)
    return _open(folder, corpus_fingerprint, tokenizer.fingerprint)


def parts_beside(cache_dir: Path | str, key: str) -> TokenParts:
    """Where the parts of a cache that is not shared are until it is made."""
    return TokenParts(LocalStore(Path(cache_dir) / "tokens"), f"{key}.parts")


def is_cached(cache_dir: Path | str, key: str) -> bool:
    """Whether the token cache of that key is on this machine."""
    return (Path(cache_dir) / "tokens" / key).is_dir()


def token_key(corpus_fingerprint: str, tokenizer_fingerprint: str) -> str:
    """What the token cache of a corpus and a tokenizer is called."""
    text = f"{CACHE_VERSION}\x1f{corpus_fingerprint}\x1f{tokenizer_fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _fetch(parts: TokenParts, made: Path) -> None:
    """Fill the folder of a cache from parts, all of which are there.

    Raises:
        DataError: one is missing or damaged, or they are not those of the manifest.
    """
    parts.join(made)
    (made / MANIFEST).write_bytes(parts.manifest() or b"")
    found = _read_manifest(made)
    for name, part in zip(STREAMS, (found.train, found.heldout), strict=True):
        if sha256_of(made / name) != part.sha256:
            raise DataError(f"{parts} is damaged ({name}): delete it and run the study again")


def _manifest(
    folder: Path, documents: tuple[int, int], corpus: Corpus, tokenizer: TokenizerHandle
) -> Manifest:
    """The manifest of the streams in ``folder``.

    Raises:
        DataError: one of them is empty.
    """
    dtype = width(tokenizer)
    sizes = [(folder / name).stat().st_size for name in STREAMS]
    if not all(sizes):
        raise DataError(
            f"corpus {corpus.name} gives no tokens with tokenizer {tokenizer.name}: use one made "
            "for its language"
        )
    train, heldout = (
        PartManifest(
            documents=count,
            tokens=size // np.dtype(dtype).itemsize,
            bytes=size,
            sha256=sha256_of(folder / name),
        )
        for name, size, count in zip(STREAMS, sizes, documents, strict=True)
    )
    return Manifest(
        version=CACHE_VERSION,
        corpus=corpus.name,
        corpus_fingerprint=corpus.fingerprint,
        tokenizer=tokenizer.name,
        tokenizer_fingerprint=tokenizer.fingerprint,
        dtype=dtype,
        separator=tokenizer.vocabulary().sep,
        train=train,
        heldout=heldout,
    )


def _open(folder: Path, corpus_fingerprint: str, tokenizer_fingerprint: str) -> TokenCache:
    """The cache in ``folder``, which is known to be as it was written."""
    manifest = _read_manifest(folder)
    found = manifest.corpus_fingerprint, manifest.tokenizer_fingerprint
    if found != (corpus_fingerprint, tokenizer_fingerprint):
        raise _damaged(folder, "it is of another corpus or tokenizer")
    train, heldout = (
        np.memmap(folder / name, dtype=np.dtype(manifest.dtype).newbyteorder("<"), mode="r")
        for name in STREAMS
    )
    return TokenCache(folder=folder, manifest=manifest, train=train, heldout=heldout)


def _read_manifest(folder: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise _damaged(folder, f"{MANIFEST} is missing or malformed") from error


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(f"token cache {folder} is damaged ({what}): delete that folder and run again")
