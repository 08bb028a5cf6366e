"""The token cache: the right ids, made once, whole or not at all, and checked when opened."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from objbench.data import Corpus, TokenizerHandle, open_corpus, open_token_cache, tokenising
from objbench.errors import DataError
from objbench.results import sealed_folder

ROOT = Path(__file__).parents[3]

# Builds the cache, but stops for ever after some chunks have been written. Its tokenizer is a
# bare one of the same ids and fingerprint, which spares it the import of transformers.
STUCK = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from tokenizers import Tokenizer
from objbench.data import Corpus, open_corpus, open_token_cache, tokenising
corpus = open_corpus(sys.argv[1])
def source():
    for number, document in enumerate(corpus.source()):
        if number == 300:
            Path(sys.argv[3]).touch()
            time.sleep(600)
        yield document
tokenising.CHUNK_DOCUMENTS, tokenising.BLOCK_CHARACTERS = 16, 1
stuck = Corpus(name="stuck", fingerprint=corpus.fingerprint, source=source)
tokenizer = SimpleNamespace(
    name="bare",
    fingerprint=sys.argv[5],
    vocabulary=lambda: SimpleNamespace(size=200, sep=3),
    encoder=lambda: Tokenizer.from_file(sys.argv[4]),
)
open_token_cache(stuck, tokenizer, sys.argv[2])
"""

# Waits for the go, then wants the same tokenizer and cache as the others.
RACE = """
import sys, time
from pathlib import Path
from objbench.data import load_tokenizer, open_corpus, open_token_cache
corpus = open_corpus(sys.argv[1])
Path(sys.argv[3]).touch()
while not Path(sys.argv[4]).exists():
    time.sleep(0.005)
built = []
tokenizer = load_tokenizer("train:200", corpus, sys.argv[2])
cache = open_token_cache(corpus, tokenizer, sys.argv[2], built.append)
print(bool(built), tokenizer.fingerprint, cache.manifest.train.sha256, int(cache.train[-1]))
"""


def run(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 90
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, f"no {paths} in time"
        time.sleep(0.01)


def test_the_streams_are_the_documents_with_separators(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenising, "CHUNK_DOCUMENTS", 37)
    seen: list[int] = []
    cache = open_token_cache(corpus, tokenizer, tmp_path, seen.append)
    for stream, documents, part in (
        (cache.train, corpus.training(), cache.manifest.train),
        (cache.heldout, corpus.heldout(), cache.manifest.heldout),
    ):
        expected: list[int] = []
        count = 0
        for document in documents:
            expected += [*tokenizer.hf(document)["input_ids"][1:-1], 3]
            count += 1
        assert stream.dtype == np.uint16
        assert stream.tolist() == expected
        assert (part.documents, part.tokens) == (count, len(expected))
        assert part.sha256 == hashlib.sha256(stream.tobytes()).hexdigest()
    assert seen == sorted(seen)
    assert seen[-1] == len(cache.train) + len(cache.heldout)
    assert len(seen) == 11


def test_a_second_opening_reads_nothing_but_the_manifest(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    first = open_token_cache(corpus, tokenizer, tmp_path)

    def forbidden() -> Iterator[str]:
        raise AssertionError("the corpus was read again")

    unreadable = Corpus(name="x", fingerprint=corpus.fingerprint, source=forbidden)
    start = time.perf_counter()
    again = open_token_cache(unreadable, tokenizer, tmp_path)
    assert time.perf_counter() - start < 0.2
    assert again.folder == first.folder
    assert np.array_equal(again.train, first.train)
    assert not again.train.flags.writeable


def test_another_corpus_or_tokenizer_is_another_cache(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    other_text = open_corpus("toy", toy_documents=50)
    other_tokenizer = TokenizerHandle(name="other", fingerprint="0" * 64, hf=tokenizer.hf)
    folders = {
        open_token_cache(text, using, tmp_path).folder
        for text in (corpus, other_text)
        for using in (tokenizer, other_tokenizer)
    }
    assert len(folders) == 4


def test_large_vocabularies_take_four_bytes_a_token(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    from transformers import BertTokenizer

    tokens = [*tokenizer.vocabulary().tokens, *(f"word{i}" for i in range(66_000)), "zebra"]
    large = BertTokenizer(vocab={token: i for i, token in enumerate(tokens)})
    handle = TokenizerHandle(name="large", fingerprint="1" * 64, hf=large)
    text = Corpus(name="z", fingerprint="z", source=lambda: iter(["zebra zebra", "zebra"]))
    cache = open_token_cache(text, handle, tmp_path)
    assert cache.train.dtype == np.uint32
    assert len(tokens) - 1 in cache.train.tolist()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def flip(path: Path) -> None:
    """One bit, with the time of the last change as it was."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap(path: Path) -> None:
    """The two parts in each other's place, with a manifest that says so."""
    other, between = path.with_name("heldout.bin"), path.with_name("between")
    path.rename(between)
    other.rename(path)
    between.rename(other)
    manifest = path.with_name("manifest.json")
    fields = json.loads(manifest.read_text())
    fields["train"], fields["heldout"] = fields["heldout"], fields["train"]
    manifest.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train.bin", cut, r"train\.bin is not what was written"),
        ("train.bin", flip, r"train\.bin is not what was written"),
        ("train.bin", swap, r"heldout\.bin is not what was written"),
        ("heldout.bin", Path.unlink, r"heldout\.bin is missing"),
        ("manifest.json", cut, "manifest.json is not what was written"),
        ("manifest.json", Path.unlink, "manifest.json is missing"),
        ("digests.json", cut, "digests.json: malformed"),
        ("digests.json", Path.unlink, "digests.json: No such file"),
    ],
)
def test_a_damaged_cache_is_named_and_can_be_deleted(
    name: str,
    damage: Callable[[Path], None],
    message: str,
    corpus: Corpus,
    tokenizer: TokenizerHandle,
    tmp_path: Path,
) -> None:
    folder = open_token_cache(corpus, tokenizer, tmp_path).folder
    damage(folder / name)
    sealed_folder._known.clear()  # As in another process.
    with pytest.raises(DataError, match=message) as caught:
        open_token_cache(corpus, tokenizer, tmp_path)
    assert str(folder) in str(caught.value)
    assert "delete that folder" in str(caught.value)


def test_the_cache_of_another_corpus_under_this_name_is_refused(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    folder = open_token_cache(corpus, tokenizer, tmp_path).folder
    other = open_token_cache(open_corpus("toy", toy_documents=50), tokenizer, tmp_path).folder
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    with pytest.raises(DataError, match="another corpus or tokenizer"):
        open_token_cache(corpus, tokenizer, tmp_path)


def test_a_file_is_read_once_per_process_until_it_changes(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = open_token_cache(corpus, tokenizer, tmp_path).folder
    hashed: list[str] = []
    whole = hashlib.file_digest

    def counted(stream: BinaryIO, name: str) -> object:
        hashed.append(Path(stream.name).name)
        return whole(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    open_token_cache(corpus, tokenizer, tmp_path)
    open_token_cache(corpus, tokenizer, tmp_path)
    assert len(hashed) == len(set(hashed)) <= 3
    cut(folder / "train.bin")
    with pytest.raises(DataError, match=r"train\.bin is not what was written"):
        open_token_cache(corpus, tokenizer, tmp_path)


def test_an_error_half_way_leaves_nothing(
    tokenizer: TokenizerHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenising, "CHUNK_DOCUMENTS", 4)
    (tmp_path / "a.txt").write_bytes(b"fine text\n\nmore text\n\n" * 50 + b"\xff\n")
    corpus = open_corpus(str(tmp_path / "a.txt"))
    with pytest.raises(DataError, match="not UTF-8"):
        open_token_cache(corpus, tokenizer, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache" / "tokens").iterdir() if path.is_dir()]


def test_a_folder_that_cannot_be_written_is_named(
    corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"cannot write .*file.*choose another folder"):
        open_token_cache(corpus, tokenizer, tmp_path / "file")


def test_documents_that_give_no_tokens_are_an_error(
    tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    blank = Corpus(name="blank", fingerprint="b", source=lambda: iter(["\x00", "\x01"]))
    with pytest.raises(DataError, match="gives no tokens"):
        open_token_cache(blank, tokenizer, tmp_path)


def test_a_build_killed_half_way_is_continued(
    text_file: Path,
    corpus: Corpus,
    tokenizer: TokenizerHandle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = open_token_cache(corpus, tokenizer, tmp_path / "whole")
    bare = tmp_path / "bare.json"
    bare.write_text(tokenizer.encoder().to_str())
    fingerprint = tokenizer.fingerprint
    process = run(STUCK, text_file, tmp_path / "cache", tmp_path / "stuck", bare, fingerprint)
    try:
        wait_for(tmp_path / "stuck")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    tokens = tmp_path / "cache" / "tokens"
    (half_made, parts) = sorted(path.name for path in tokens.iterdir() if path.is_dir())
    assert half_made.startswith(".") and parts == f"{expected.folder.name}.parts"
    monkeypatch.setattr(tokenising, "CHUNK_DOCUMENTS", 16)
    monkeypatch.setattr(tokenising, "BLOCK_CHARACTERS", 1)
    seen: list[int] = []
    made = open_token_cache(corpus, tokenizer, tmp_path / "cache", seen.append)
    assert [path.read_bytes() for path in sorted(made.folder.iterdir())] == [
        path.read_bytes() for path in sorted(expected.folder.iterdir())
    ]
    # Of the 400 documents at least 250 were tokenised before.
    assert 1 <= len(seen) <= 10
    assert seen[-1] == len(made.train) + len(made.heldout)
    assert [path for path in tokens.iterdir() if path.is_dir()] == [made.folder]


def test_two_processes_at_once_make_one_cache_and_the_same_as_here(
    text_file: Path, corpus: Corpus, tokenizer: TokenizerHandle, tmp_path: Path
) -> None:
    ready = [tmp_path / "1", tmp_path / "2"]
    go = tmp_path / "go"
    processes = [
        run(
            RACE,
            *(text_file, tmp_path / "cache", path, go),
            PYTHONHASHSEED=path.name,
            RAYON_NUM_THREADS=path.name,
        )
        for path in ready
    ]
    wait_for(*ready)
    go.touch()
    outputs = [process.communicate(timeout=90)[0].split() for process in processes]
    assert sorted(output[0] for output in outputs) == ["False", "True"]
    assert outputs[0][1:] == outputs[1][1:]
    here = open_token_cache(corpus, tokenizer, tmp_path / "here").manifest
    assert outputs[0][1:3] == [tokenizer.fingerprint, here.train.sha256]
