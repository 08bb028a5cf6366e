"""Files and folders appear whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat

import pytest

from objbench.results.atomic_files import (
    remove_folder,
    remove_unfinished,
    whole_file,
    whole_folder,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_its_parents_and_as_readable_as_any_other(tmp_path):
    path = tmp_path / "a" / "b" / "text"
    write_text(path, "ä\n")
    (tmp_path / "plain").touch()
    assert path.read_bytes() == "ä\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert names(path.parent) == ["text"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    write_text(tmp_path / "file", "old")
    with whole_folder(tmp_path / "folder") as made:
        (made / "old").touch()
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "file") as file:
        file.write(b"new")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "folder") as made:
        (made / "new").touch()
        raise ZeroDivisionError
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path / "folder") == ["old"]
    assert names(tmp_path) == ["file", "folder"]


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    for name in ("old", "new"):
        with whole_folder(tmp_path / "folder") as made:
            (made / "below").mkdir()
            (made / "below" / name).touch()
    assert names(tmp_path / "folder" / "below") == ["new"]
    remove_folder(tmp_path / "folder")
    remove_folder(tmp_path / "folder")
    assert names(tmp_path) == []


def _killed(folder):
    with whole_file(folder / "file") as file, whole_folder(folder / "folder"):
        file.write(b"new")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_leaves_is_neither_read_nor_kept(tmp_path):
    write_text(tmp_path / "file", "old")
    (tmp_path / "folder.other").mkdir()
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "file").read_text() == "old"
    left = [path for path in tmp_path.iterdir() if path.name.startswith(".folder.")]
    assert len(left) == 1
    remove_unfinished(tmp_path, "fold*")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["folder.other"]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    with whole_file(tmp_path / "file") as first, whole_file(tmp_path / "file") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["file"]
