"""Corpora: every format comes back as written, the split is sound, every error is located."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from objbench.data import Corpus, corpus_reading, open_corpus
from objbench.data.corpus import require_corpus
from objbench.data.document_files import LONGEST_DOCUMENT, pieces, read_documents
from objbench.errors import ConfigError, DataError, HubError


def everything(opened: Corpus) -> list[str]:
    return [document for document, _ in opened.parts()]


def as_text(documents: list[str]) -> bytes:
    return ("\n\n".join(documents) + "\n").encode()


def as_json(documents: list[str]) -> bytes:
    return "".join(json.dumps({"text": text, "id": 1}) + "\n" for text in documents).encode()


def as_csv(path: Path, documents: list[str]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(
            [["n", "text"], *([n, text] for n, text in enumerate(documents))]
        )


def as_wiki(documents: list[str]) -> bytes:
    return "".join(
        f'<doc id="{n}" url="u" title="t">\n{text}\n\n</doc>\n' for n, text in enumerate(documents)
    ).encode()


WRITERS: dict[str, Callable[[Path, list[str]], Any]] = {
    "a.txt": lambda path, texts: path.write_bytes(as_text(texts)),
    "a.txt.gz": lambda path, texts: path.write_bytes(gzip.compress(as_text(texts))),
    "a.txt.zst": lambda path, texts: path.write_bytes(zstandard.compress(as_text(texts))),
    "a.jsonl": lambda path, texts: path.write_bytes(as_json(texts)),
    "a.jsonl.gz": lambda path, texts: path.write_bytes(gzip.compress(as_json(texts))),
    "a.JSONL.zst": lambda path, texts: path.write_bytes(zstandard.compress(as_json(texts))),
    "a.txt.bz2": lambda path, texts: path.write_bytes(bz2.compress(as_text(texts))),
    "a.jsonl.xz": lambda path, texts: path.write_bytes(lzma.compress(as_json(texts))),
    "a.ndjson": lambda path, texts: path.write_bytes(b"\xef\xbb\xbf" + as_json(texts)),
    "lines.json": lambda path, texts: path.write_bytes(as_json(texts)),
    "array.json": lambda path, texts: path.write_text(
        json.dumps([{"text": text} for text in texts], indent=1)
    ),
    "a.csv": as_csv,
    "wiki_00": lambda path, texts: path.write_bytes(as_wiki(texts)),
    "wiki_01.bz2": lambda path, texts: path.write_bytes(bz2.compress(as_wiki(texts))),
    "wiki_02": lambda path, texts: path.write_bytes(as_json(texts)),
    "a.parquet": lambda path, texts: pq.write_table(pa.table({"text": texts, "n": texts}), path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_documents_and_split(
    name: str, documents: list[str], corpus: Corpus, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / name, documents)
    opened = open_corpus(str(tmp_path / name))
    assert list(opened.parts()) == list(corpus.parts())
    assert sorted(everything(opened)) == sorted(documents)


def test_packed_files_may_consist_of_several_frames(documents: list[str], tmp_path: Path) -> None:
    raw = as_text(documents)
    half = len(raw) // 2
    for name, pack in (("a.txt.gz", gzip.compress), ("a.txt.zst", zstandard.compress)):
        (tmp_path / name).write_bytes(pack(raw[:half]) + pack(raw[half:]))
        assert list(read_documents(tmp_path / name, "text")) == documents


def test_folder_and_glob_find_the_same_files_in_path_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "2.jsonl").write_bytes(as_json(["two", "three"]))
    (tmp_path / "a.txt").write_bytes(as_text(["zero", "one"]))
    (tmp_path / "README.md").write_text("not a corpus file")
    (tmp_path / ".hidden.txt").write_text("not one either")
    folder = open_corpus(str(tmp_path))
    assert everything(folder) == ["zero", "one", "two", "three"]
    globbed = open_corpus(f"{tmp_path}/**/[a2]*")
    assert everything(open_corpus(f"{tmp_path}/b/**/*.jsonl")) == ["two", "three"]
    assert globbed.fingerprint == folder.fingerprint
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    assert open_corpus(str(tmp_path)).fingerprint == folder.fingerprint


def test_lines_of_text_belong_together_up_to_a_blank_line(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\nstill one\r\n \t\r\n\r\n\r\ntwo\n\n".encode())
    assert list(read_documents(path, "text")) == ["one\r\nstill one", "two"]


@pytest.mark.parametrize("word", ["words ", "中é", "é", "x", "line of text\n"])
def test_text_without_document_borders_is_cut_and_nothing_is_lost(
    word: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    whole = word * (300_000 // len(word))
    path.write_text(whole, encoding="utf-8")
    found = list(read_documents(path, "text"))
    assert "".join("".join(found).split()) == "".join(whole.split())
    assert len(found) > 3
    assert max(map(len, found)) <= LONGEST_DOCUMENT
    if " " in word:
        assert {piece.split(" ")[0] for piece in found} <= {"words", "line"}


def test_long_records_are_cut_at_a_space() -> None:
    whole = "some words " * 20_000
    found = list(pieces(whole))
    assert "".join(found) == whole
    assert all(len(piece) <= LONGEST_DOCUMENT for piece in found)
    assert all(piece.startswith((" ", "some")) for piece in found)


def test_split_is_disjoint_by_text_and_about_one_percent(tmp_path: Path) -> None:
    texts = [f"text number {number}" for number in range(5000)]
    (tmp_path / "a.txt").write_bytes(as_text(texts + texts))
    opened = open_corpus(str(tmp_path))
    training, heldout = list(opened.training()), list(opened.heldout())
    assert not set(training) & set(heldout)
    assert len(training) + len(heldout) == 10_000
    assert 60 <= len(heldout) <= 140
    assert len(heldout) == 2 * len(set(heldout))
    assert list(open_corpus(str(tmp_path)).heldout()) == heldout


@pytest.mark.parametrize("count", [2, 3, 10])
def test_small_corpora_hold_out_exactly_one_document(count: int, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(as_text([f"text {number}" for number in range(count)]))
    opened = open_corpus(str(tmp_path))
    assert len(list(opened.heldout())) == 1
    assert len(list(opened.training())) == count - 1


def test_heldout_part_is_capped_without_leaking_into_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(as_text([f"text {number}" for number in range(3000)]))
    opened = open_corpus(str(tmp_path))
    uncapped = list(opened.heldout())
    training = list(opened.training())
    monkeypatch.setattr(corpus_reading, "HELDOUT_CHARACTERS", 50)
    assert list(opened.heldout()) == uncapped[: len(list(opened.heldout()))]
    assert 50 <= sum(map(len, opened.heldout())) < 60
    assert list(opened.training()) == training


def test_the_pieces_of_a_long_record_stay_in_one_part(tmp_path: Path) -> None:
    books = [f"book {number} " * 30_000 for number in range(30)]
    (tmp_path / "a.jsonl").write_bytes(as_json(books))
    opened = open_corpus(str(tmp_path))
    parts = {False: set(), True: set()}  # type: dict[bool, set[str]]
    for piece, is_heldout in opened.parts():
        assert len(piece) <= LONGEST_DOCUMENT
        parts[is_heldout] |= set(piece.split()) - {"book"}
    assert len(parts[True]) == 1 and not parts[True] & parts[False]


def test_a_document_of_the_heldout_file_is_not_trained_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_bytes(as_text(["one", "two", "two\r\nlines", "one"]))
    (tmp_path / "heldout.jsonl").write_bytes(as_json(["one", "two\nlines"]))
    opened = open_corpus(str(tmp_path))
    assert list(opened.parts()) == [("one", True), ("two\nlines", True), ("two", False)]
    (said,) = caplog.messages
    assert "3 training documents are copies of held-out ones" in said


def test_copies_that_differ_in_line_breaks_are_on_one_side(tmp_path: Path) -> None:
    texts = [f"text\nnumber {number}" for number in range(2000)]
    (tmp_path / "a.jsonl").write_bytes(as_json(texts))
    (tmp_path / "b.jsonl").write_bytes(as_json([text.replace("\n", "\r\n") for text in texts]))
    opened = open_corpus(str(tmp_path))
    heldout = {text.replace("\r", "") for text in opened.heldout()}
    assert heldout and not heldout & {text.replace("\r", "") for text in opened.training()}


def test_a_heldout_file_is_the_heldout_part(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(as_text(["one", "two"]))
    before = open_corpus(str(tmp_path)).fingerprint
    (tmp_path / "heldout.txt.gz").write_bytes(gzip.compress(as_text(["three"])))
    opened = open_corpus(str(tmp_path))
    assert list(opened.training()) == ["one", "two"]
    assert list(opened.heldout()) == ["three"]
    assert opened.fingerprint != before
    assert list(open_corpus(str(tmp_path / "a.txt")).heldout()) != ["three"]


def test_fingerprint_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    for folder, text in (("x", "one\n\ntwo"), ("y", "one\n\ntwo"), ("z", "one\n\nTwo")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(text)
    x, y, z = (open_corpus(str(tmp_path / name)).fingerprint for name in "xyz")
    assert x == y != z
    assert x != open_corpus(str(tmp_path / "x"), column="body").fingerprint


def test_toy_corpus_is_reproducible_and_keyed_by_its_arguments() -> None:
    opened = open_corpus("toy", toy_documents=300)
    assert everything(opened) == everything(open_corpus("toy", toy_documents=300))
    assert len(everything(opened)) == 300
    keys = {
        opened.fingerprint,
        open_corpus("toy").fingerprint,
        open_corpus("toy", toy_seed=1, toy_documents=300).fingerprint,
    }
    assert len(keys) == 3


FILES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("a.txt", b"", "is empty"),
    "blank": ("a.txt", b" \n\n\t\n", "holds no text"),
    "single": ("a.txt", b"one line\nand another\n", "single document"),
    "latin-1": ("a.txt", b"fine\n\nfine \xe9 line\n", r"a\.txt:3: not UTF-8 at byte 11 "),
    "latin-1 after a mark": ("a.txt", b"\xef\xbb\xbfab\xe9\n", r":1: not UTF-8 at byte 5 "),
    "latin-1 packed": ("a.txt.gz", gzip.compress(b"ok\n\xff"), r":2: not UTF-8 at byte 3 "),
    "latin-1 json": ("a.jsonl", b'{"text": "x"}\n{"text": "\xe9"}\n', r":2: not UTF-8 at byte 24"),
    "utf-16": ("a.txt", "text".encode("utf-16"), r":1: not UTF-8 at byte 0 "),
    "not json": ("a.jsonl", b'{"text": "x"}\n\n{"text": \n', r"a\.jsonl:3: not JSON"),
    "json list": ("a.jsonl", b"[1]\n", r":1: no text in the field"),
    "no field": ("a.jsonl", b'{"body": "x"}\n', r':1: no text in the field "text"'),
    "field of numbers": ("a.jsonl", b'{"text": 5}\n', r":1: no text in the field"),
    "not gzip": ("a.txt.gz", b"plain text\n" * 9, "cannot be read"),
    "cut gzip": ("a.txt.gz", gzip.compress(b"some text\n" * 9999)[:-30], "cannot be read"),
    "cut zstd": ("a.txt.zst", zstandard.compress(b"some text\n" * 9999)[:-3], "cannot be read"),
    "cut bz2": ("a.txt.bz2", bz2.compress(b"some text\n" * 9999)[:-3], "cannot be read"),
    "cut xz": ("a.txt.xz", lzma.compress(b"some text\n" * 9999)[:-3], "cannot be read"),
    "not xz": ("a.txt.xz", b"plain text\n" * 9, "cannot be read"),
    "utf-16 without a mark": ("a.txt", "some text".encode("utf-16-le"), ":1: a zero byte in every"),
    "no wiki": ("wiki_00", b"some text\n", ":1: no <doc ...> and no JSON object"),
    "not parquet": ("a.parquet", b"plain text", "not a readable parquet"),
    "unknown kind": ("a.docx", b"x", "unknown kind of file"),
    "packed parquet": ("a.parquet.gz", b"x", "unknown kind of file"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_files_are_named_with_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, message = FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        everything(open_corpus(str(tmp_path / name)))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_parquet_needs_the_column_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"body": ["one", None, "two"], "text": [1, 2, 3]}), path)
    with pytest.raises(DataError, match="'text' holds int64, not text"):
        everything(open_corpus(str(path)))
    with pytest.raises(DataError, match=r"no column 'title' \(its columns: body, text\)"):
        everything(open_corpus(str(path), column="title"))
    assert everything(open_corpus(str(path), column="body")) == ["one", "two"]


def test_missing_paths_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.pdf").write_bytes(b"x")
    for spec, message in (
        (f"{tmp_path}/none.txt", "no such file or folder"),
        (f"{tmp_path}/none*.txt", "matches no file"),
        (f"{tmp_path}/folder", "holds no file that can be read"),
        (f"{tmp_path}/folder/*", "holds no file that can be read"),
    ):
        with pytest.raises(DataError, match=message):
            open_corpus(spec)


@pytest.mark.parametrize("spec", ["empty", "none.txt", "odd", "pipe", "*.csv", "hf:", "hf:a:b:c:d"])
def test_a_corpus_is_refused_before_it_is_read_as_when_it_is_read(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.txt").write_bytes(b"")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.pdf").write_bytes(b"%PDF")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((DataError, ConfigError)) as early:
        require_corpus(spec)
    with pytest.raises((DataError, ConfigError)) as late:
        open_corpus(spec)
    assert str(early.value) == str(late.value)


def test_an_empty_heldout_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(as_text(["one", "two"]))
    (tmp_path / "heldout.txt").write_bytes(b"\n")
    with pytest.raises(DataError, match="held-out file holds no text"):
        everything(open_corpus(str(tmp_path)))


def test_half_a_surrogate_pair_in_json_becomes_a_question_mark(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "x \\ud800 y"}\n{"text": "z"}\n')
    assert everything(open_corpus(str(tmp_path))) == ["x ? y", "z"]


class HubRows:
    def __init__(self, rows: dict[str, list[Any]]) -> None:
        self.rows = rows

    def iter(self, batch_size: int) -> Iterator[dict[str, list[Any]]]:
        yield self.rows

    def state_dict(self) -> dict[str, int]:
        return {"batches": 1}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A hub with one data set; records what is asked of it."""
    import datasets
    import huggingface_hub

    asked: list[tuple[Any, ...]] = []

    def load_dataset(name: str, config: str | None, **options: Any) -> HubRows:
        asked.append((name, config, options))
        if config == "none":
            raise ValueError("BuilderConfig 'none' not found.\nAvailable: ['a']")
        return HubRows({"text": ["one", None, "two"], "body": ["x", "y", "z"], "id": [1, 2, 3]})

    def dataset_info(self: object, name: str, **options: Any) -> SimpleNamespace:
        asked.append((name, options))
        return SimpleNamespace(sha="a" * 40)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    return asked


def test_hub_data_is_streamed_at_the_commit_that_is_its_fingerprint(hub: list[Any]) -> None:
    opened = open_corpus("hf:owner/name:conf:body")
    assert everything(opened) == ["x", "y", "z"]
    name, config, options = hub[-1]
    assert (name, config) == ("owner/name", "conf")
    assert options == {"split": "train", "revision": "a" * 40, "streaming": True}
    assert everything(open_corpus("hf:owner/name")) == ["one", "two"]
    specs = ("hf:o/n", "hf:o/n:c", "hf:o/n::c", "hf:o/m", f"hf:o/n@{'b' * 40}")
    assert len({open_corpus(spec).fingerprint for spec in specs}) == len(specs)


def test_hub_data_at_a_given_commit_is_opened_without_a_connection(hub: list[Any]) -> None:
    open_corpus(f"hf:owner/name@{'b' * 40}")
    assert not hub


def test_hub_errors_are_one_line(hub: list[Any]) -> None:
    with pytest.raises(HubError, match=r"hf:o/n: .*BuilderConfig 'none' not found\. Avail"):
        everything(open_corpus("hf:o/n:none"))
    with pytest.raises(DataError, match=r'no column "words" \(columns: text, body, id\)'):
        everything(open_corpus("hf:o/n::words"))
    with pytest.raises(DataError, match='"id" holds int, not text'):
        everything(open_corpus("hf:o/n::id"))
    for spec in ("hf:", "hf:a b", "hf:o/n:a:b:c", "hf:../x"):
        with pytest.raises(ConfigError, match=r"hf:NAME\[:CONFIG\]\[:COLUMN\]"):
            open_corpus(spec)
