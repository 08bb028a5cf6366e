"""The files of every format: which they are, that they replace their own, and their bytes."""

import pytest

from objbench.errors import ConfigError
from objbench.leaderboard.analysis import analyse
from objbench.leaderboard.formats import write_format
from objbench.results.study_results import read_study_results


@pytest.fixture
def write(make_study, tmp_path):
    """(format, folder) -> what was written; of a study with one curve to draw."""
    run = make_study(seeds=(1, 2, 3), points=2).write(tmp_path / "run")
    results = read_study_results(run)
    report = analyse(results)
    return lambda kind, out: write_format(kind, run, tmp_path / out, results, report)


def tree(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_tables_and_pages_are_the_same_each_time_and_replace_what_is_no_longer_made(
    write, tmp_path
):
    kinds = {"html": "index.html", "csv": "tables", "latex": "tables", "json": "tables.json"}
    for kind, name in kinds.items():
        assert write(kind, "a").relative_to(tmp_path / "a").as_posix() == name
    first = tree(tmp_path / "a")
    assert {name.rpartition(".")[2] for name in first} == {"html", "csv", "tex", "json"}
    (tmp_path / "a" / "tables" / "99-older.csv").write_text("")
    (tmp_path / "a" / "tables" / "mine.csv").write_text("")
    for kind in kinds:
        write(kind, "a")
    assert tree(tmp_path / "a") == {**first, "mine.csv": b""}


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_pictures_are_files_of_their_kind_without_a_clock(write, tmp_path, kind, start):
    assert write(kind, "a") == tmp_path / "a"
    found = tree(tmp_path / "a")
    assert set(found) >= {f"convergence-glue.{kind}", f"speedup-glue.{kind}"}
    assert all(picture.startswith(start) for picture in found.values())
    assert not any(b"CreationDate" in picture for picture in found.values())
    (tmp_path / "a" / f"convergence-older.{kind}").write_bytes(b"")
    write(kind, "a")
    assert tree(tmp_path / "a") == found


def test_a_page_by_hand_and_links_out_are_left_alone(write, tmp_path):
    out, outside = tmp_path / "a", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (out / "index.html").write_text("mine")
    with pytest.raises(ConfigError, match="was not made by objbench"):
        write("html", "a")
    assert (out / "index.html").read_text() == "mine"
    (out / "tables").symlink_to(outside)
    with pytest.raises(ConfigError, match="a link leads out of its folder"):
        write("csv", "a")
    assert not list(outside.iterdir())
