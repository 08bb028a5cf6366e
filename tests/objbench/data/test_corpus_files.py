"""Which files of a corpus are trained on, held out or left out, and that all of it is reported."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest

from objbench.data import open_corpus
from objbench.data.corpus_files import CorpusFiles, find_files
from objbench.data.file_roles import role_of
from objbench.errors import DataError


def write(folder: Path, *names: str) -> Path:
    """Files with one document each, the file's own name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        row = f'{{"text": "{name}"}}\n'
        path.write_text(row if ".json" in name else f"{name}\n")
    return folder


def found(folder: Path | str) -> CorpusFiles:
    return find_files(str(folder), "text")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("heldout.txt", "heldout"),
        ("heldout-00000-of-00002.jsonl", "heldout"),
        ("held_out.txt.gz", "heldout"),
        ("wiki-held-out.txt", "heldout"),
        ("holdout/a.txt", "heldout"),
        ("held-out/a.txt", "heldout"),
        ("validation-00000-of-00001-a09b74b3ef9c.parquet", "validation"),
        ("c4-validation.00003-of-00008.json.gz", "validation"),
        ("wiki.valid.txt", "validation"),
        ("Dev.txt", "validation"),
        ("val_2.jsonl", "validation"),
        ("eval/part/a.txt", "validation"),
        ("test-00000-of-00002.jsonl", "test"),
        ("wikitext-103-test.txt", "test"),
        ("test/train.txt", "training"),
        ("train/test.txt", "test"),
        ("train-00000-of-00002.jsonl", "training"),
        ("testament.txt", None),
        ("old_testament/a.txt", None),
        ("the_test_of_time.txt", None),
        ("test of time/a.txt", None),
        ("latest.txt", None),
        ("a.txt", None),
    ],
)
def test_roles_are_words_of_names(name: str, role: str | None) -> None:
    assert role_of(PurePath(name)) == role


@pytest.mark.parametrize(
    ("names", "heldout", "neither"),
    [
        (["heldout-00000-of-00002.txt", "heldout-00001-of-00002.txt"], [0, 1], []),
        (["heldout.txt", "test-0.txt", "validation.txt"], [0], [1, 2]),
        (["test-00000-of-00001.jsonl", "validation-00000-of-00001.jsonl"], [1], [0]),
        (["test/x.txt"], [0], []),
        (["dev/x.txt", "dev/y.jsonl"], [0, 1], []),
    ],
)
def test_what_is_named_so_is_not_trained_on(
    names: list[str], heldout: list[int], neither: list[int], tmp_path: Path
) -> None:
    write(tmp_path, "a.txt", "train-x.jsonl", *names)
    opened = open_corpus(str(tmp_path))
    assert set(opened.training()) == {"a.txt", "train-x.jsonl"}
    assert set(opened.heldout()) == {names[at] for at in heldout}
    for at in neither:
        assert names[at] in opened.summary.split("not read: ")[1]


def test_what_the_user_names_is_read_whatever_its_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "test", "validation.txt", "test-1.txt")
    for spec in (folder, f"{folder}/*.txt", folder / "test-1.txt"):
        files = found(spec)
        assert files.training and not files.heldout
        assert "held out: by hash, 1%" in files.summary()


def test_files_that_are_not_read_are_named_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.txt", "notes.pdf", "part-00000", "c.txt.gz.part")
    write(tmp_path, "dataset_info.json")
    (tmp_path / "dataset_info.json").write_text('{\n "splits": []\n}\n')
    (tmp_path / "c.txt.gz").write_text("never opened")
    write(tmp_path, "c.txt")
    (tmp_path / "linked.txt").symlink_to(tmp_path / "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "hard.txt")
    (tmp_path / "copy.txt").write_text("b.txt\n")
    os.mkfifo(tmp_path / "pipe.txt")
    files = found(tmp_path)
    assert [path.name for path in files.training] == ["a.txt", "b.txt", "c.txt"]
    assert files.skipped == {
        "no kind of file that is read": ["c.txt.gz.part", "notes.pdf", "part-00000"],
        "the unpacked file is beside it": ["c.txt.gz"],
        'no objects with the text "text"': ["dataset_info.json"],
        "no regular file": ["pipe.txt"],
        "the content of b.txt again": ["copy.txt"],
        "the content of a.txt again": ["hard.txt", "linked.txt"],
    }
    summary = files.summary()
    assert "3 files to train on" in summary and "\n" not in summary
    assert all(name in summary for names in files.skipped.values() for name in names)
    assert sorted(open_corpus(str(tmp_path)).training())


def test_a_link_to_the_heldout_file_is_not_trained_on(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "heldout.txt")
    (tmp_path / "aa.txt").symlink_to(tmp_path / "heldout.txt")
    files = found(tmp_path)
    assert [path.name for path in files.training] == ["a.txt"]
    assert files.skipped == {"the content of heldout.txt again": ["aa.txt"]}
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DataError, match=r"has no file to train on .*of heldout.txt again.*: add"):
        open_corpus(str(tmp_path))


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(DataError, match=r"no regular file \(a pipe or device\)"):
        open_corpus(str(tmp_path / "pipe.txt"))
    with pytest.raises(DataError, match=r"can be read \(pipe\.txt: no regular file\)"):
        open_corpus(str(tmp_path))


def test_a_broken_link_is_a_missing_part(tmp_path: Path) -> None:
    write(tmp_path, "a.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone.txt")
    with pytest.raises(DataError, match=r"b\.txt: a link to a file that is not there"):
        open_corpus(str(tmp_path))


def test_missing_parts_are_reported(tmp_path: Path) -> None:
    write(tmp_path, "a-00000-of-00003.txt", "a-00002-of-00003.txt", "b-1-of-2.txt", "b-2-of-2.txt")
    assert "; 2 of the 3 parts of a" in found(tmp_path).summary()
    assert " parts of b" not in found(tmp_path).summary()


@pytest.mark.parametrize(
    "other", ["a-00000-of-00003.txt", "a-00000-of-00002-ffee.txt", "a-00000-of-00002.jsonl"]
)
def test_two_generations_of_parts_are_refused(other: str, tmp_path: Path) -> None:
    write(tmp_path, "a-00000-of-00002.txt", "a-00001-of-00002.txt", other)
    with pytest.raises(DataError, match="parts of two versions of one data set: remove"):
        open_corpus(str(tmp_path))
