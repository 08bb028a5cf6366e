"""Tables: one reader with explicit columns; the same treatment in every format."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from objbench.data import file_lines, table_files
from objbench.data.column_kinds import Schema
from objbench.data.document_files import read_documents
from objbench.data.table_files import columns_of, format_of, read_columns, read_rows
from objbench.errors import DataError

SCHEMA: Schema = {"text": "text", "label": "number"}
ODD = "one\u2028two\u0085three\x0b\x0c\x1c\x1efour\u2029 \ufeff é 中"
ROWS: list[tuple[str, float | None]] = [(ODD, 0), ('b, "c"\nd', 2.5), ("x" * 300_000, 4)]


def as_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["label", "text"], *((label, text) for text, label in ROWS)])


def as_lines(mark: str = "", end: str = "\n", ascii: bool = False) -> Callable[[Path], Any]:
    lines = [json.dumps({"text": t, "label": n, "x": [1]}, ensure_ascii=ascii) for t, n in ROWS]
    return lambda path: path.write_bytes((mark + end.join(lines)).encode())


WRITERS: dict[str, Callable[[Path], Any]] = {
    "a.jsonl": as_lines(),
    "b.jsonl": as_lines(ascii=True),
    "marked.jsonl": as_lines("\ufeff", "\r\n\n"),
    "a.ndjson": as_lines(),
    "a.json": as_lines("\ufeff"),
    "array.json": lambda path: path.write_text(
        json.dumps([{"text": text, "label": label} for text, label in ROWS], ensure_ascii=False)
    ),
    "a.csv": as_csv,
    "a.parquet": lambda path: pq.write_table(
        pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}), path
    ),
    "words.parquet": lambda path: pq.write_table(
        pa.table(
            {
                "label": pa.array([label for _, label in ROWS], pa.float32()),
                "text": pa.array([text for text, _ in ROWS]).dictionary_encode(),
            }
        ),
        path,
    ),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    assert list(read_rows(tmp_path / name, SCHEMA)) == ROWS
    assert list(read_documents(tmp_path / name, "text")) == [text.strip() for text, _ in ROWS]


def test_nulls_are_none_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": null, "label": null}\n')
    (tmp_path / "a.csv").write_text('text,label\n"",\n')
    nulls = pa.table({"text": pa.nulls(1), "label": pa.nulls(1, pa.int8())})
    pq.write_table(nulls, tmp_path / "a.parquet")
    assert list(read_rows(tmp_path / "a.jsonl", SCHEMA)) == [(None, None)]
    assert list(read_rows(tmp_path / "a.parquet", SCHEMA)) == [(None, None)]
    # A CSV file has no null text.
    assert list(read_rows(tmp_path / "a.csv", SCHEMA)) == [("", None)]
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert list(read_documents(tmp_path / name, "text")) == []


def test_fields_may_be_separated_by_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('label\ttext\n1\ta, "b"\n2\t"with\ttab, ""x"" and\nline"\n')
    expected = [('a, "b"', 1.0), ('with\ttab, "x" and\nline', 2.0)]
    assert list(read_rows(path, SCHEMA)) == expected
    path.write_text("label\ttext\n1\ta\tb\n")
    with pytest.raises(DataError, match=r"a\.tsv:2: 3 fields .*put quotes around texts with tabs"):
        list(read_rows(path, SCHEMA))
    # In a corpus and in a folder of GLUE such a file is something else.
    assert format_of(path) is None


def test_a_class_is_one_text_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{"x": "1"}\n{"x": true}\n{"x": null}\n')
    (tmp_path / "a.csv").write_text('x\n1\ntrue\n""\n')
    pq.write_table(pa.table({"x": [1, None]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [True, False]}), tmp_path / "b.parquet")
    found = {name: read_columns(tmp_path / name, {"x": "class"})["x"] for name in CLASSES}
    assert found == CLASSES
    pq.write_table(pa.table({"x": [1.5]}), tmp_path / "c.parquet")
    (tmp_path / "c.jsonl").write_text('{"x": 1.5}')
    for name, message in (
        ("c.parquet", "holds double, not text or whole numbers"),
        ("c.jsonl", r':1: no text or whole number in the field "x"'),
    ):
        with pytest.raises(DataError, match=message):
            read_columns(tmp_path / name, {"x": "class"})


CLASSES = {
    "a.jsonl": ["1", "1", "true", None],
    "a.csv": ["1", "true", ""],
    "a.parquet": ["1", None],
    "b.parquet": ["true", "false"],
}


def test_rows_without_any_text_at_first_have_no_other_kind(tmp_path: Path) -> None:
    lines = ['{"text": null, "label": 1}'] * 600 + ['{"text": "a", "label": 0.5}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = read_columns(tmp_path / "a.jsonl", SCHEMA)
    assert found["text"][-2:] == [None, "a"] and found["label"][-2:] == [1, 0.5]


DEEP = "[" * 100_000 + "]" * 100_000
FILES: dict[str, tuple[str, bytes, str]] = {
    "text for a number": (
        "a.jsonl",
        b'{"text": "a", "label": "1"}',
        r':1: no number in the field "label", but "1": write {"label": 1}$',
    ),
    "list for a text": (
        "a.jsonl",
        b'{"text": ["a"], "label": 1}',
        r'in the field "text", but a list: write',
    ),
    "no object": (
        "a.json",
        b"[7]",
        r', row 1: no text in the field "text", but 7 in place of an ob',
    ),
    "truth for a number": ("a.jsonl", b'{"text": "a", "label": true}', r":1: no number in the fi"),
    "number for a text": ("a.jsonl", b'\n{"text": 1, "label": 1}', r":2: no text in the field"),
    "a number of 400 digits": (
        "a.jsonl",
        b'{"text": "", "label": 1%s}' % (b"0" * 400),
        ":1: no nu",
    ),
    "a number of 5,000 digits": (
        "a.jsonl",
        b'{"text": "", "label": 1%s}' % (b"0" * 5000),
        ":1: not",
    ),
    "no field": (
        "a.jsonl",
        b'{"text": "a", "labels": 1}',
        r':1: no number in the field "label" \(its fields: text, labels\): write {"label": 1}$',
    ),
    "many fields": (
        "a.jsonl",
        b'{"text": "a", "%s": 1}' % (b"x" * 5000),
        r"\(its fields: text, x{54}\.\.\.\)",
    ),
    "cut line": (
        "a.jsonl",
        b'{"text": "a", "label": 1}\n{"text": "a"\n{}\n',
        r":2: not JSON \(Expecting ',' delimiter, column 13\): write one object per line$",
    ),
    "a field twice": (
        "a.jsonl",
        b'{"text": "a", "x": {"text": 1}, "label": 1, "text": "b"}',
        ":1: two fields 'text' in one object",
    ),
    "deep": ("a.jsonl", f'{{"text": "a", "label": {DEEP}}}'.encode(), ":1: nested too deeply"),
    "latin-1": ("a.jsonl", b'{"text": "\xe9", "label": 1}', ":1: not UTF-8 at byte 10"),
    "utf-16": ("a.csv", "text,label\n".encode("utf-16"), ":1: not UTF-8 .*begins as UTF-16"),
    "array": ("a.json", b'[{"text": "a", "label": 1}, {"text": "b"}]', ", row 2: no number in"),
    "cut array": (
        "a.json",
        b'[{"text": "a", "label": 1},\n{"text": 1,,\n}]\n',
        r"not JSON \(Expecting property name enclosed in double quotes, line 2, column 12\)",
    ),
    "csv without a column": ("a.csv", b"text\na\n", r"has no column 'label' \(its columns: text\)"),
    "csv with a column twice": ("a.csv", b"text,label,text\na,1,b\n", "has 2 columns 'text'"),
    "csv with another row": ("a.csv", b"text,label\na,1\nb,2,3\n", ":3: 3 fields in a table of 2"),
    "csv with words": (
        "a.csv",
        b"text,label\na,one\n",
        ":2: no number in the field 'label': 'one'",
    ),
    "csv without an end": ("a.csv", b'text,label\n"a,1\n', ":2: not CSV"),
    "empty csv": ("a.csv", b"", r"has no column 'text' \(its columns: none\)"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_tables_are_named_with_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, message = FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_columns(tmp_path / name, SCHEMA)
    assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 250


def test_a_parquet_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array([1])]
    twice = pa.Table.from_arrays(columns, names=["text", "text", "label"])
    pq.write_table(twice, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"has 2 columns 'text' \(its columns: text, text, label\)"):
        read_columns(tmp_path / "a.parquet", SCHEMA)
    # What is not asked for may be there twice.
    assert read_columns(tmp_path / "a.parquet", {"label": "number"}) == {"label": [1]}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([b"\xff"]), "'text' holds binary, not text"),
        (pa.array([["a"]]), "'text' holds list<.*>, not text"),
        (pa.array([{"text": "a"}]), "'text' holds struct<.*>, not text"),
        (pa.array([b"a\xff"]).cast(pa.string(), safe=False), "'text' is not UTF-8"),
    ],
)
def test_parquet_columns_of_another_kind(column: pa.Array, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        columns_of(pa.table({"text": column}), {"text": "text"}, "x")
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=message):
        list(read_documents(tmp_path / "a.parquet", "text"))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "wiki_00", "a.json"])
def test_a_line_has_a_bound(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lines, "LONGEST_LINE", 100)
    rows = {"a.csv": 'text\n"{}"\n'}.get(name, '{{"text": "{}"}}\n')
    (tmp_path / name).write_text(rows.format("x" * 80))
    assert list(read_documents(tmp_path / name, "text")) == ["x" * 80]
    (tmp_path / name).write_text(rows.format("x" * 200))
    line = 2 if name == "a.csv" else 1
    with pytest.raises(DataError, match=rf"{name}:{line}: the line is longer than .* put one doc"):
        list(read_documents(tmp_path / name, "text"))


def test_the_bound_holds_for_what_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (file_lines.LONGEST_LINE + 1), 1))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match=r"a\.jsonl\.gz:1: the line is longer than 64 MiB"):
        list(read_documents(path, "text"))


def test_rows_of_parquet_have_the_bound_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"{number:100}" for number in range(60)]
    pq.write_table(pa.table({"text": texts}), path, row_group_size=30)
    monkeypatch.setattr(table_files, "LONGEST_LINE", 1000)
    sizes = [len(column) for (column,) in table_files._parquet_batches(path, {"text": "text"})]
    assert sum(sizes) == 60 and max(sizes) < 10
    assert list(read_rows(path, {"text": "text"})) == [(text,) for text in texts]
    monkeypatch.setattr(table_files, "LONGEST_LINE", 50)
    with pytest.raises(DataError, match=r"a\.parquet: rows of .*: put one document in a row"):
        read_columns(path, {"text": "text"})
