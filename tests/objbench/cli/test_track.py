"""``objbench track``: a recipe is run, checked, sent, checked again and put on a board; refusals are one line."""

from importlib.resources import files

import pytest
from made_track import FALLING, track_study

from objbench.cli.main import main

RECIPE = """
preset = "demo"
objectives = ["mlm"]
seeds = [0, 1, 2, 3, 4]
budget = "16-steps"

[encoder]
width = 16
layers = 1
heads = 2

[encoder.config]
layer_types = ["full_attention"]
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["track"], "the following arguments are required: ACTION"),
        (["track", "rum", "toy"], "invalid choice: 'rum'"),
        (["track", "run", "toy"], "required: --config"),
        (["track", "run", "toi", "--config", "x.toml"], "unknown track 'toi'"),
        (["track", "run", "toy", "--config", "x.toml"], "study file x.toml: No such file"),
        (["track", "run", "toy", "--config", "x.toml", "--seeds", "3"], "unknown option '--seeds'"),
        (["track", "run", "toy", "--config", "x.toml", "--corpus", "."], "leave --corpus out"),
        (["track", "run", "english", "--config", "x.toml"], "name it with --corpus"),
        (
            ["track", "run", "toy", "--config", "x.toml", "--dry-runn"],
            "unknown option '--dry-runn'; did you mean '--dry-run'?; see `objbench track run --help`",
        ),
        (["track", "run", "toy", "--confg", "x.toml"], "unknown option '--confg'; did you mean"),
        (["track", "check", "toy"], "required: RUN"),
        (["track", "check", "toy", "there", "--blimp-dir"], "--blimp-dir needs a value"),
        (["track", "check", "toy", "there"], "there holds no plan.json"),
        (["track", "check", "x.toml", "there"], "x.toml cannot be read"),
        (["track", "check", "toy", "there", "--rows", "nowhere"], "nowhere is no folder of rows"),
        (["track", "submit", "toy", "there"], "required: --out"),
        (["track", "submit", "toy", "there", "--out", "x"], "there holds no plan.json"),
        (["track", "submit", "toy", "there", "--out", "x", "--by", "a\nb"], "--by"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_on_one_line(command_line, words, said):
    assert said in command_line.refusal(words)


def test_options_have_a_flag_wherever_they_can_be_set(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    track_study({"mlm": [FALLING] * 5}).write(tmp_path / "mine")
    assert main(["track", "check", "toy", "mine"]) == 0
    assert main(["track", "check", "toy", "mine", "--blimp-dir", "x"]) == 2
    assert "mine is a study of this machine" in capsys.readouterr().err


def test_faults_are_a_line_each_and_such_a_study_is_not_sent(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study = track_study({"mlm": [FALLING] * 5})
    study.change_study("evaluation", points=7)
    study.change_plan(declared=((0, 1, 2), (3, 4)))
    study.write(tmp_path / "mine")
    assert main(["track", "check", "toy", "mine"]) == 1
    printed = capsys.readouterr()
    faults = [line for line in printed.out.splitlines() if line.startswith("fault: ")]
    assert len(faults) == 2 and printed.err == "objbench: mine: 2 faults\n"
    assert main(["track", "submit", "toy", "mine", "--out", "sent"]) == 2
    assert "mine is not a row of track toy (2 faults, such as: its seeds" in capsys.readouterr().err
    assert not (tmp_path / "sent").exists()


def test_a_run_that_was_stopped_says_which_cells_are_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study = track_study({"mlm": [FALLING], "taco": [FALLING]})
    del study.records["mlm.seed-0"]
    study.write(tmp_path / "mine")
    assert main(["track", "check", "toy", "mine"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "fault: it declares 1 seed, and the track needs 5",
        "fault: mlm.seed-0 has no record: run the study to its end",
    ]
    assert printed.err == "objbench: mine: 2 faults\n"


def test_a_stranger_walks_the_whole_way(tmp_path, monkeypatch, capsys):
    """Sixteen steps with five seeds: nothing is reached, and all of it is checked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(RECIPE)
    where = ["--out", "runs/mine", "--cache", str(tmp_path / "cache"), "--jobs", "1"]
    assert main(["track", "run", "toy", "--config", "mine.toml", *where]) == 0
    capsys.readouterr()
    assert main(["track", "check", "toy", "runs/mine"]) == 0
    said = capsys.readouterr().out
    assert "0 of 5 runs reached it" in said and "no row has reached this target yet" in said
    assert main(["track", "submit", "toy", "runs/mine", "--out", "sent", "--by", "A. Reader"]) == 0
    assert main(["track", "check", "toy", "sent"]) == 0
    # Another text is refused before anything is trained on it.
    other = files("objbench_published").joinpath("track/toy.toml").read_text("utf-8")
    (tmp_path / "other.toml").write_text(other.replace('heldout = "a', 'heldout = "b'))
    where[1] = "runs/other"
    assert main(["track", "run", "other.toml", "--config", "mine.toml", *where]) == 2
    assert (
        "its tokens of the heldout part differ from those of track other" in capsys.readouterr().err
    )
    assert not (tmp_path / "runs" / "other").exists()
    # A record that was changed on the way is a fault of what was sent.
    capsys.readouterr()
    path = tmp_path / "sent" / "pretrain.jsonl"
    changed = path.read_text().replace('"loss":5', '"loss":4', 1)
    assert changed != path.read_text()
    path.write_text(changed)
    assert main(["track", "check", "toy", "sent"]) == 1
    assert "fault: pretrain.jsonl is not what was written" in capsys.readouterr().out
