"""Errors of disks are recognised in whatever they cause; other errors are left alone."""

import errno
import os
import time
from pathlib import Path

import pytest
from safetensors import SafetensorError

from objbench.errors import DataError, StorageError
from objbench.results.atomic_files import sweep
from objbench.results.run_folder import RunFolder
from objbench.results.storage_faults import storage_fault, storage_faults


def disk(number, name=None):
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (disk(errno.ENOSPC, "a.bin"), "a.bin: No space left on device"),
        (disk(errno.EROFS), "Read-only file system"),
        (disk(errno.EDQUOT), "Disk quota exceeded"),
        (SafetensorError("I/O error: No space left on device (os error 28)"), "No space left"),
        (SafetensorError('IoError(Os { code: 28, kind: StorageFull, message: "" })'), "No space"),
        (ValueError("no such option"), ""),
        (RuntimeError("the server answered with code: 28"), ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "corpus.txt"), ""),
        (PermissionError(errno.EACCES, "Permission denied", "corpus.txt"), ""),
        (DataError("line 3 says (os error 28)"), ""),
    ],
)
def test_what_is_a_fault_of_a_disk(error, told):
    assert storage_fault(error).startswith(told)
    assert bool(storage_fault(error)) == bool(told)


def test_a_cause_is_found_and_the_line_says_how_to_continue(tmp_path):
    told = r"x: No space left.*same command again"
    with pytest.raises(StorageError, match=told) as caught, storage_faults(RunFolder(tmp_path)):
        raise DataError("cannot write x") from disk(errno.ENOSPC, "x")
    assert "\n" not in str(caught.value)


def test_any_error_where_the_folder_is_gone_is_the_disks_and_no_other(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    with pytest.raises(ValueError, match="a bug"), storage_faults(folder):
        raise ValueError("a bug")
    assert list(folder.path.iterdir()) == []
    folder.path.rmdir()
    with pytest.raises(StorageError, match="run: No such file"), storage_faults(folder):
        raise ValueError("a consequence")


def test_the_sweep_removes_what_killed_writers_left_and_nothing_else(tmp_path):
    kept = [".lock", "a.json", ".a.json", "records/.b.json.12-short", "records/.gitignore"]
    left = [".plan.json.12-0123abcd", "records/x/.r.json.99-ffffffff", ".step-3.7-00000000/w/model"]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    old = tmp_path / left[0]
    os.utime(old, (time.time() - 90, time.time() - 90))
    sweep(tmp_path, older_than=60)
    assert not old.exists() and (tmp_path / left[1]).exists() and (tmp_path / left[2]).exists()
    sweep(tmp_path)
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(kept)
    sweep(tmp_path / "absent")


def test_a_folder_from_which_a_file_vanishes_is_not_taken_for_an_old_one(tmp_path, monkeypatch):
    folder = tmp_path / ".tokens.12-0123abcd"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).touch()
    lstat = Path.lstat

    def vanishing(path):
        if path.name == "a":
            raise FileNotFoundError(errno.ENOENT, "No such file", str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", vanishing)
    sweep(tmp_path, older_than=60)
    assert (folder / "b").exists()
