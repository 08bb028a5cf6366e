"""The commands for results from other people refuse what is wrong on one line, before torch is imported."""

import shutil
from pathlib import Path

import pytest

from objbench.cli.main import main

HONEST = Path(__file__).parents[2] / "data" / "submission"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit"], "the following arguments are required: RUN, --out"),
        (["submit", "there", "--out", "x"], "there holds no plan.json, since it is not there"),
        (["submit", "x", "--ouut", "y"], "unknown option '--ouut'; did you mean '--out'?"),
        (["submit", "there", "--out", "x", "--by", "a\nb"], "--by"),
        (["submit", "there", "--out", "x", "--by", " "], "--by"),
        (["accept"], "required: FOLDER"),
        (["accept", "nowhere"], "nowhere is no folder"),
        (["accept", "nowhere", "--set", "glue"], "--set"),
        (["accept", "nowhere", "--name", "../x"], "do not begin with '.'"),
        (
            ["accept", "nowhere", "--name", "a\x1b[31mb"],
            "'a\\x1b[31mb' is not the name of a folder",
        ),
        (["accept", "nowhere", "--name", "a" * 61], "up to 60 letters"),
        (["submit", str(HONEST), "--out", str(HONEST / "new")], "name a folder outside it"),
        (["accept", "nowhere", "--bord", "x"], "did you mean '--board'?"),
        (["rerun"], "required: STUDY"),
        (["rerun", "there"], "there holds no plan.json"),
        (["rerun", "there", "--cells", "0"], "--cells"),
        (["rerun", "there", "--seed", "../x"], "--seed"),
        (["rerun", str(HONEST)], "added to a board: accept it first"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_on_one_line(command_line, words, said):
    assert said in command_line.refusal(words)


def test_a_study_that_nobody_sent_is_to_be_made_a_submission_first(capsys):
    study = Path(__file__).parents[3] / "leaderboard" / "track" / "toy" / "modern"
    assert main(["accept", str(study), "--check-only"]) == 1
    assert "faults; make a submission of it with `objbench submit` first" in capsys.readouterr().err


def test_every_fault_is_a_line_and_nothing_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(HONEST, tmp_path / "sent"))
    (folder / "lines.json").unlink()
    (folder / "lines.json").symlink_to("/etc/passwd")
    (folder / "curve.jsonl").write_text("")
    (folder / "extra.pkl").write_text("")
    assert main(["accept", "sent"]) == 1
    printed = capsys.readouterr()
    faults = [line for line in printed.out.splitlines() if line.startswith("fault: ")]
    assert "fault: extra.pkl does not belong in a submission" in faults
    assert "fault: lines.json is a link: put the file itself there" in faults
    assert any(line.startswith("fault: curve.jsonl is not what was written") for line in faults)
    assert printed.err == f"objbench: sent: {len(faults)} faults\n"
    assert [path.name for path in tmp_path.iterdir()] == ["sent"]
