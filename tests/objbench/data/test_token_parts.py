"""A token cache made in parts is the one made in one piece, whoever made which part and was killed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_objects import memory_objects
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from objbench.data import (
    Corpus,
    TokenizerHandle,
    open_corpus,
    open_token_cache,
    token_parts,
    tokenising,
)
from objbench.data.cache import open_known_cache
from objbench.data.token_parts import TokenParts
from objbench.data.tokenising import make_parts
from objbench.errors import DataError, HubError
from objbench.results import sealed_folder
from objbench.results.local_store import LocalStore

WORDS = ["red", "blue", "house", "walks", "."]
SEPARATOR = 7


def bare_tokenizer() -> TokenizerHandle:
    """Words by number, without the libraries that a real one needs."""
    model = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, WORDS[-1]))
    model.pre_tokenizer = Whitespace()
    bare = SimpleNamespace(
        name="bare",
        fingerprint="b" * 64,
        vocabulary=lambda: SimpleNamespace(size=SEPARATOR + 1, sep=SEPARATOR),
        encoder=lambda: model,
    )
    return cast(TokenizerHandle, bare)


TOKENIZER = bare_tokenizer()


class Killed(BaseException):
    """A process ends here."""


class MemoryStore:
    """The part of a store that is asked for; it ends its process at one of its writes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.writes_left = -1

    def put_once(self, name: str, content: bytes) -> bool:
        if self.writes_left == 0:
            raise Killed
        self.writes_left -= 1
        is_new = self.files.setdefault(name, content) is content
        if self.writes_left == 0:
            raise Killed
        return is_new

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]

    def list(self, folder: str) -> list[str]:
        return [name for name in sorted(self.files) if name.startswith(f"{folder}/")]

    def delete(self, name: str) -> None:
        self.files.pop(name, None)

    def where(self, name: str) -> str:
        return f"memory://{name}"


def parts_in(store: object, folder: str = "parts") -> TokenParts:
    return TokenParts(cast(Any, store), folder)


def corpus_of(documents: list[str]) -> Corpus:
    return Corpus(name="made up", fingerprint="c" * 64, source=lambda: iter(documents))


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def by_plain_loops(corpus: Corpus) -> list[bytes]:
    """The two streams, document by document."""
    ids: tuple[list[int], list[int]] = ([], [])
    for document, is_heldout in corpus.parts():
        if found := [WORDS.index(word) for word in document.split()]:
            ids[is_heldout].extend([*found, SEPARATOR])
    return [np.array(stream, dtype="<u2").tobytes() for stream in ids]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of some words, and blocks of some chunks."""
    monkeypatch.setattr(tokenising, "CHUNK_CHARACTERS", 40)
    monkeypatch.setattr(tokenising, "CHUNK_DOCUMENTS", 3)
    monkeypatch.setattr(tokenising, "BLOCK_CHARACTERS", 60)


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)


@pytest.mark.parametrize("shares", [1, 2, 7])
@settings(deadline=None, max_examples=30)
@given(
    documents=st.lists(texts, min_size=2, max_size=60, unique=True),
    kills=st.lists(st.integers(1, 8), max_size=6),
    seed=st.integers(0, 99),
)
def test_shares_that_are_killed_and_resumed_make_the_cache_made_in_one_piece(
    shares: int, documents: list[str], kills: list[int], seed: int
) -> None:
    corpus, store = corpus_of(documents), MemoryStore()
    parts, kills = parts_in(store), list(kills)
    order = list(range(shares))
    random.Random(seed).shuffle(order)
    while order:
        store.writes_left = kills.pop() if kills else -1
        try:
            make_parts(parts, corpus, TOKENIZER, share=order[0], shares=shares)
            order.pop(0)
        except Killed:
            order.append(order.pop(0))
    store.writes_left = -1
    with TemporaryDirectory() as folder:
        one, many, known = (Path(folder, name) for name in ("one", "many", "known"))
        whole = open_token_cache(corpus, TOKENIZER, one).folder
        joined = open_token_cache(corpus, TOKENIZER, many, shared=parts).folder
        again = open_known_cache(corpus.fingerprint, TOKENIZER, known, parts).folder
        wanted = files_of(whole)
        assert files_of(joined) == files_of(again) == wanted
        assert [wanted["train.bin"], wanted["heldout.bin"]] == by_plain_loops(corpus)
        # A cache that is whole is shared by cutting it up.
        cut = parts_in(MemoryStore())
        open_token_cache(corpus, TOKENIZER, one, shared=cut)
        copy = open_known_cache(corpus.fingerprint, TOKENIZER, Path(folder, "copy"), cut).folder
        assert files_of(copy) == wanted


@pytest.mark.parametrize("kill", [1, 2, 3, 4, 99])
def test_what_is_left_of_cutting_up_a_cache_is_never_joined_with_blocks(
    kill: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_parts, "COPIED_BYTES", 150)
    corpus = corpus_of([" ".join(random.Random(n).choices(WORDS, k=12)) for n in range(50)])
    whole = open_token_cache(corpus, TOKENIZER, tmp_path / "one").folder
    for second in ("one", "two"):
        store = MemoryStore()
        store.writes_left = kill
        try:
            open_token_cache(corpus, TOKENIZER, tmp_path / "one", shared=parts_in(store))
        except Killed:
            assert kill < 99
        store.writes_left = -1
        # The first is the machine that was killed, the other one has no cache.
        made = open_token_cache(corpus, TOKENIZER, tmp_path / second, shared=parts_in(store))
        cache = tmp_path / f"known to {second}"
        known = open_known_cache(corpus.fingerprint, TOKENIZER, cache, parts_in(store))
        assert files_of(known.folder) == files_of(made.folder) == files_of(whole)


def test_a_part_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpus_of([" ".join(random.Random(n).choices(WORDS, k=12)) for n in range(50)])
    read = []
    noted = Corpus(
        name=corpus.name,
        fingerprint=corpus.fingerprint,
        source=lambda: iter([read.append(1) or text for text in corpus.source()]),  # type: ignore[func-returns-value]
    )
    store, encoded = MemoryStore(), []
    monkeypatch.setattr(
        tokenising, "_joined", spy(tokenising._joined, lambda chunk, *_: encoded.append(chunk))
    )
    store.writes_left = 9
    with pytest.raises(Killed):
        make_parts(parts_in(store), noted, TOKENIZER)
    first = {chunk.block for chunk in encoded}
    done = parts_in(store).numbers()
    assert done < first
    encoded.clear()
    store.writes_left = -1
    make_parts(parts_in(store), noted, TOKENIZER)
    assert done.isdisjoint(chunk.block for chunk in encoded)
    read.clear()
    make_parts(parts_in(store), noted, TOKENIZER)
    assert not read, "all parts were there"


def spy(function: Any, note: Any) -> Any:
    def noted(*given: Any) -> Any:
        note(*given)
        return function(*given)

    return noted


@pytest.mark.parametrize("kind", ["folder", "objects"])
def test_workers_at_the_same_time_make_one_cache(kind: str, tmp_path: Path) -> None:
    corpus = corpus_of([" ".join(random.Random(n).choices(WORDS, k=12)) for n in range(300)])
    store: object = LocalStore(tmp_path / "store")
    if kind == "objects":
        store = memory_objects(tmp_path.name)
    parts = parts_in(store, "text/parts")
    workers = [
        Thread(target=make_parts, args=(parts, corpus, TOKENIZER), kwargs={"share": k, "shares": 2})
        for k in (0, 1, 0, 1)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    joined = open_token_cache(corpus, TOKENIZER, tmp_path / "many", shared=parts)
    known = open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "known", parts)
    whole = open_token_cache(corpus, TOKENIZER, tmp_path / "one")
    assert files_of(joined.folder) == files_of(known.folder) == files_of(whole.folder)
    assert not (tmp_path / "one" / "tokens" / f"{whole.folder.name}.parts").exists()


def test_a_shared_cache_is_checked_before_it_is_used(tmp_path: Path) -> None:
    corpus, store = corpus_of([*WORDS, "red house .", "blue house walks ."]), MemoryStore()
    parts = parts_in(store)
    with pytest.raises(DataError, match=r"neither in .* nor in memory://parts: name the cache"):
        open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "a", parts)
    with pytest.raises(DataError, match=r"is not in .*: name the cache that has it with --cache"):
        open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "a")
    open_token_cache(corpus, TOKENIZER, tmp_path / "one", shared=parts)
    for name, content in store.files.items():
        damaged = MemoryStore()
        damaged.files = {**store.files, name: content[:-3] + b"0}\n"}
        sealed_folder._known.clear()
        with pytest.raises(DataError, match=r"damaged"):
            open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "b", parts_in(damaged))
        del damaged.files[name]
        with pytest.raises(DataError, match=r"missing|neither"):
            open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "b", parts_in(damaged))
    # Every part is as its own digest says, and still they are not those of the manifest.
    other = MemoryStore()
    open_token_cache(
        corpus_of(["house .", "walks", "red"]), TOKENIZER, tmp_path / "c", shared=parts_in(other)
    )
    other.files["parts/manifest.json"] = store.files["parts/manifest.json"]
    with pytest.raises(DataError, match=r"memory://parts is damaged \(train.bin\)"):
        open_known_cache(corpus.fingerprint, TOKENIZER, tmp_path / "b", parts_in(other))


class BreakingRows:
    """A stream from the hub whose connection breaks after some batches."""

    def __init__(self, rows: Any, batches: int, fetched: list[int]) -> None:
        self._rows, self._batches, self._fetched = rows, batches, fetched

    def iter(self, batch_size: int) -> Iterator[Any]:
        for number, batch in enumerate(self._rows.iter(batch_size=batch_size)):
            if number == self._batches:
                raise ConnectionError("the connection\nwas reset")
            self._fetched.append(batch["id"][0])
            yield batch

    def state_dict(self) -> Any:
        return self._rows.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self._rows.load_state_dict(state)


def test_a_hub_stream_that_breaks_goes_on_at_the_exact_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    draw = random.Random(5)
    monkeypatch.setattr("objbench.data.document_files.LONGEST_DOCUMENT", 90)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 60))) for _ in range(2100)]
    rows = [draw.choice([None, " ", *[text] * 20]) for text in texts]
    for file in range(3):
        ids = range(700 * file, 700 * file + 700)
        table = pa.table({"text": [rows[row] for row in ids], "id": list(ids)})
        pq.write_table(table, tmp_path / f"{file}.parquet", row_group_size=90)
    load, breaks, fetched = datasets.load_dataset, [99], []  # type: ignore[var-annotated]

    def load_dataset(*given: Any, **options: Any) -> BreakingRows:
        found = load(
            "parquet", data_files=str(tmp_path / "*.parquet"), split="train", streaming=True
        )
        return BreakingRows(found, breaks[0], fetched)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    for name, size in (
        ("CHUNK_CHARACTERS", 2000),
        ("CHUNK_DOCUMENTS", 99),
        ("BLOCK_CHARACTERS", 9000),
    ):
        monkeypatch.setattr(tokenising, name, size)
    corpus = open_corpus(f"hf:owner/name@{'a' * 40}")
    whole = open_token_cache(corpus, TOKENIZER, tmp_path / "whole")
    wanted = files_of(whole.folder)
    assert [wanted["train.bin"], wanted["heldout.bin"]] == by_plain_loops(corpus)

    starts, breaks[0] = [], 2
    for _ in range(20):
        fetched.clear()
        try:
            made = open_token_cache(corpus, TOKENIZER, tmp_path / "broken")
            break
        except HubError as error:
            assert "the connection was reset" in str(error)
            # The first look is for a document to hold out.
            starts.append(fetched[1])
    assert files_of(made.folder) == wanted
    assert len(starts) > 3
    assert starts == sorted(starts) and starts[-1] > 1400
