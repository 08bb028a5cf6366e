"""What a stranger's folder may hold is copied; links, pipes, depths and sizes are named and not read."""

import os

import pytest

from objbench.errors import ConfigError
from objbench.results.submissions import foreign_folder
from objbench.results.submissions.foreign_folder import take_in

DIGEST = "a" * 64


def test_an_honest_folder_is_copied_whole(honest, tmp_path):
    assert take_in(honest, tmp_path) == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        p.name: p.read_bytes() for p in honest.iterdir()
    }


def test_sources_of_plugins_are_text_under_their_digest(copy, tmp_path):
    own = copy / "plugins" / DIGEST
    (own / "mine").mkdir(parents=True)
    (own / "mine" / "__init__.py").write_text("raise SystemExit")
    (own / "mine.py").write_text("raise SystemExit")
    (own / "mine" / "weights.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (own / "mine" / "lib.so").write_bytes(b"\x7fELF")
    (copy / "plugins" / "short").mkdir()
    (copy / "plugins" / "short" / "mine.py").write_text("")
    into = tmp_path / "into"
    into.mkdir()
    assert take_in(copy, into) == [
        f"plugins/{DIGEST}/mine/lib.so does not belong in a submission",
        f"plugins/{DIGEST}/mine/weights.pkl does not belong in a submission",
        "plugins/short/mine.py does not belong in a submission",
    ]
    assert (into / "plugins" / DIGEST / "mine.py").read_text() == "raise SystemExit"
    assert len(list(into.rglob("*.py"))) == 2


def test_nothing_else_is_read(copy, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    (copy / "lines.json").unlink()
    (copy / "lines.json").symlink_to(secret)
    (copy / "plugins").symlink_to(tmp_path)
    os.mkfifo(copy / "floor2.jsonl")
    (copy / "overhead.json").unlink()
    os.mkfifo(copy / "overhead.json")
    (copy / ".git").mkdir()
    (copy / ".git" / "config").write_text("")
    (copy / ".hidden").write_text("")
    (copy / "setup.py").write_text("")
    (copy / "a\nb\x1b[31m").write_text("")
    os.close(os.open(os.fsencode(copy) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    into = tmp_path / "into"
    into.mkdir()
    faults = take_in(copy, into)
    assert sorted(faults) == [
        ".git/ does not belong in a submission",
        ".hidden does not belong in a submission",
        "\\xff does not belong in a submission",
        "a b[31m does not belong in a submission",
        "floor2.jsonl is no ordinary file",
        "lines.json is a link: put the file itself there",
        "overhead.json is no ordinary file",
        "plugins is a link: put the file itself there",
        "setup.py does not belong in a submission",
    ]
    assert not (into / "lines.json").exists()


def test_sizes_are_limited(copy, tmp_path, monkeypatch):
    size = (copy / "evaluation.jsonl").stat().st_size
    monkeypatch.setattr(foreign_folder, "LARGEST", size - 1)
    into = tmp_path / "a"
    into.mkdir()
    (fault,) = take_in(copy, into)
    assert fault == f"evaluation.jsonl is larger than the {size - 1:,} bytes that are read of it"
    monkeypatch.setattr(foreign_folder, "LARGEST", size)
    monkeypatch.setattr(foreign_folder, "MOST_BYTES", size)
    into = tmp_path / "b"
    into.mkdir()
    assert take_in(copy, into)
    assert sum(p.stat().st_size for p in into.iterdir()) <= size
    monkeypatch.setattr(foreign_folder, "MOST_FILES", 3)
    into = tmp_path / "c"
    into.mkdir()
    assert "there are more than 3 files" in take_in(copy, into)
    assert len(list(into.iterdir())) <= 3


def test_depth_is_limited(copy, tmp_path):
    deep = copy / "plugins" / DIGEST
    for _ in range(30):
        deep /= "a"
    deep.mkdir(parents=True)
    (deep / "x.py").write_text("")
    into = tmp_path / "into"
    into.mkdir()
    (fault,) = take_in(copy, into)
    assert fault.endswith("is deeper than 12 folders")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is no folder"):
        take_in(tmp_path / "file", tmp_path)
