"""A full, read-only or vanished disk stops a study with one line; it resumes when there is room."""

import errno
import os
import shutil

import pytest
from safetensors import SafetensorError

from objbench.cli import main as command_line
from objbench.engine.encoder import export
from objbench.errors import StorageError
from objbench.results import atomic_files
from objbench.results.run_folder import read_records
from objbench.runs.cells.pretrain import PretrainWork


@pytest.fixture(scope="module")
def whole(make_study, run, tmp_path_factory):
    """The folder of a study that nothing went wrong with."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run(make_study(), folder).exit_code == 0
    return folder


def scores(folder):
    return {r.id: r.scores for r in read_records(folder) if r.kind == "evaluation"}


def full(path):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize("place", ["costs", "losses", "records/evaluation"])
def test_a_full_disk_stops_at_once_and_the_next_run_continues(
    whole, make_study, run, monkeypatch, tmp_path, place
):
    writes = []
    temporary = atomic_files._temporary

    def failing(path):
        if path.is_relative_to(tmp_path / "run" / place) or path.name == f"{place}.json":
            writes.append(path)
            full(path)
        return temporary(path)

    monkeypatch.setattr(atomic_files, "_temporary", failing)
    with pytest.raises(StorageError, match="No space left") as caught:
        run(make_study(), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert len(writes) == 1
    assert all(record.status == "ok" for record in read_records(tmp_path / "run"))
    monkeypatch.undo()
    left = tmp_path / "run" / ".plan.json.123-0123abcd"
    left.touch()
    assert run(make_study(), tmp_path / "run").exit_code == 0
    assert scores(tmp_path / "run") == scores(whole)
    assert not left.exists()


def test_an_export_that_fails_is_no_failed_cell(make_study, run, monkeypatch, tmp_path, capsys):
    def failing(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(export, "save_token_head", failing)
    with pytest.raises(StorageError, match="No space left"):
        run(make_study(), tmp_path / "run")
    assert read_records(tmp_path / "run") == []
    assert not list((tmp_path / "run" / "encoders").glob("*/*"))
    assert "Traceback" not in capsys.readouterr().err


def test_a_run_folder_that_vanishes_is_not_made_again(make_study, run, monkeypatch, tmp_path):
    done = PretrainWork.do
    folder = tmp_path / "run"

    def vanishing(work, cell, started):
        outcome = done(work, cell, started)
        shutil.rmtree(folder)
        return outcome

    monkeypatch.setattr(PretrainWork, "do", vanishing)
    with pytest.raises(StorageError, match=r"No such file|was removed"):
        run(make_study(), folder)
    assert not folder.exists()


def test_the_command_line_says_it_in_one_line(monkeypatch, capsys):
    def failing(*_):
        full("page.md")

    monkeypatch.setattr(command_line, "_dispatch", failing)
    assert command_line.main(["show", "x"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "page.md: No space left on device" in err


def test_other_errors_of_files_keep_their_traceback(monkeypatch):
    def failing(*_):
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")

    monkeypatch.setattr(command_line, "_dispatch", failing)
    with pytest.raises(FileNotFoundError):
        command_line.main(["show", "x"])
