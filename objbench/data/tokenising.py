"""From documents to the parts of a token cache: chunk by chunk, on all cores, with bounded memory.

Memory holds three chunks of documents, however large the corpus is: one that is being read, one that
all cores encode, and one that is being written. Consecutive chunks make a block, which becomes a part.
Where blocks end depends on the documents alone, so that several processes can each make some of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from objbench.data.corpus import Corpus
from objbench.data.corpus_reading import Place, Reading
from objbench.data.token_parts import Part, TokenParts
from objbench.data.tokenizer import TokenizerHandle

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

CHUNK_CHARACTERS = 4_000_000
CHUNK_DOCUMENTS = 8192
"""The most characters and documents of a chunk, which all cores encode together."""

BLOCK_CHARACTERS = 32_000_000
"""A block ends with the chunk that makes it this long: about 8M tokens, some seconds of work."""

Width = Literal["uint16", "uint32"]


@dataclass(slots=True)
class _Chunk:
    """Documents that are encoded together.

    Attributes:
        block: the number of the block that it is part of.
        documents: each with whether it is held out.
        ends_block: the block ends here.
        is_last: the corpus ends here, and with it the block.
        place: where the block ends, if reading can begin there.
    """

    block: int
    documents: list[tuple[str, bool]] = field(default_factory=list)
    ends_block: bool = False
    is_last: bool = False
    place: Place | None = None


def make_parts(
    parts: TokenParts,
    corpus: Corpus,
    tokenizer: TokenizerHandle,
    *,
    share: int = 0,
    shares: int = 1,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Make those parts of a token cache that are not there yet.

    Args:
        parts: where they are kept.
        corpus, tokenizer: what they are made of.
        share: which parts: those whose number is this one by ``shares``.
        shares: how many processes share the work, each of which reads the whole corpus.
        progress: called from time to time with the number of tokens of the share so far.

    Raises:
        DataError: the corpus cannot be read or is empty, or a part is damaged.
    """
    known = {number: parts.part(number) for number in sorted(parts.numbers())}
    own = {number: part for number, part in known.items() if number % shares == share}
    last = next((number for number, part in known.items() if part.is_last), None)
    if last is not None and len(own) == len(range(share, last + 1, shares)):
        return
    first, start = 0, None
    # Where the text can be read from a place on, nothing before it is fetched again.
    while corpus.stream is not None and (part := known.get(first)) and part.place is not None:
        first, start = first + 1, part.place
    vocabulary = tokenizer.vocabulary()
    dtype = np.dtype(width(tokenizer)).newbyteorder("<")
    tokens = sum(sum(part.bytes) for part in own.values()) // dtype.itemsize
    ids, documents = (bytearray(), bytearray()), [0, 0]
    chunks = _chunks(
        corpus.reading(start), first, lambda block: block % shares == share and block not in known
    )
    for chunk, encodings in _encoded(chunks, tokenizer.encoder()):
        for stream, found, count in _joined(chunk, encodings, vocabulary.sep):
            ids[stream].extend(np.array(found, dtype=dtype).tobytes())
            documents[stream] += count
            tokens += len(found)
        if progress is not None:
            progress(tokens)
        if chunk.ends_block:
            content = bytes(ids[0] + ids[1])
            part = Part(
                documents=(documents[0], documents[1]),
                bytes=(len(ids[0]), len(ids[1])),
                sha256=hashlib.sha256(content).hexdigest(),
                is_last=chunk.is_last,
                place=chunk.place,
            )
            parts.put(chunk.block, part, content)
            ids, documents = (bytearray(), bytearray()), [0, 0]


def width(tokenizer: TokenizerHandle) -> Width:
    """The type of the ids in the files."""
    return "uint16" if tokenizer.vocabulary().size <= 1 << 16 else "uint32"


def _chunks(
    reading: Reading, first: int = 0, is_wanted: Callable[[int], bool] = lambda block: True
) -> Iterator[_Chunk]:
    """The chunks of the blocks that are wanted, in order.

    Args:
        reading: the documents.
        first: the number of the block that it begins with.
        is_wanted: whether a block of that number is.
    """
    chunk, count, characters, in_block = _Chunk(first), 0, 0, 0
    for document, is_heldout in reading:
        if characters >= CHUNK_CHARACTERS or count >= CHUNK_DOCUMENTS:
            # Only now that there is more, it is known not to be the last one.
            if is_wanted(chunk.block):
                yield chunk
            in_block = 0 if chunk.ends_block else in_block
            chunk, count, characters = _Chunk(chunk.block + chunk.ends_block), 0, 0
        if is_wanted(chunk.block):
            chunk.documents.append((document, is_heldout))
        count += 1
        characters += len(document)
        in_block += len(document)
        is_full = characters >= CHUNK_CHARACTERS or count >= CHUNK_DOCUMENTS
        if is_full and in_block >= BLOCK_CHARACTERS:
            chunk.ends_block, chunk.place = True, reading.place
    chunk.ends_block = chunk.is_last = True
    if is_wanted(chunk.block):
        yield chunk


def _encoded(
    chunks: Iterator[_Chunk], encoder: Tokenizer
) -> Iterator[tuple[_Chunk, Sequence[Encoding]]]:
    """Each chunk with the encodings of its documents.

    `tokenizers` encodes on all cores and without Python's lock. So that these do not wait for the
    thread that reads and writes, a chunk is encoded while the next one is read and the caller
    writes the previous one.
    """

    def encode(chunk: _Chunk) -> Sequence[Encoding]:
        texts = [text for text, _ in chunk.documents]
        encodings: Sequence[Encoding] = encoder.encode_batch_fast(texts, add_special_tokens=False)
        return encodings

    under_way: tuple[_Chunk, Future[Sequence[Encoding]]] | None = None
    with ThreadPoolExecutor(max_workers=1) as worker:
        for chunk in chunks:
            following = chunk, worker.submit(encode, chunk)
            if under_way is not None:
                yield under_way[0], under_way[1].result()
            under_way = following
        if under_way is not None:
            yield under_way[0], under_way[1].result()


def _joined(
    chunk: _Chunk, encodings: Sequence[Encoding], separator: int
) -> Iterator[tuple[int, list[int], int]]:
    """Yields (0 for training or 1 for held-out, ids with separators, documents) of a chunk."""
    ids: tuple[list[int], list[int]] = ([], [])
    documents = [0, 0]
    for (_, is_heldout), encoding in zip(chunk.documents, encodings, strict=True):
        if found := encoding.ids:
            ids[is_heldout].extend(found)
            ids[is_heldout].append(separator)
            documents[is_heldout] += 1
    yield from ((part, ids[part], documents[part]) for part in (0, 1))
