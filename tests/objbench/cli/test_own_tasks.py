"""``--tasks FILE``: the suites that take it join the study; a fault is found before anything is run."""

import json

import pytest

from objbench.cli.main import main

DEMO = ["run", "--objectives", "mlm,taco", "--preset", "demo"]
TASK = """
[tasks.mood]
kind = "classification"
train = "mood.csv"
share = 0.25
text = "said"
label = "meant"
metric = "accuracy"
"""


@pytest.fixture
def tasks(tmp_path):
    """A file of one task."""
    lines = [f"{word} {number},{number % 2}" for number, word in enumerate(["so", "mebo"] * 24)]
    (tmp_path / "mood.csv").write_text("\n".join(["said,meant", *lines]))
    path = tmp_path / "tasks.toml"
    path.write_text(TASK)
    return path


def test_both_suites_join_those_of_the_study(tasks, tmp_path, capsys):
    run = tmp_path / "run"
    words = [*DEMO, "--tasks", str(tasks), "--tasks-epochs", "2", "--out", str(run)]
    assert main([*words, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    for cell in (
        "toy.polarity.mlm.seed-0.100pct.ft-0",
        "tasks.mood.mlm.seed-0.100pct.ft-0",
        "tasks_probe.mood.taco.seed-0.100pct.ft-0",
        "tasks.mood.floor-majority.ft-0",
        "tasks_probe.mood.floor-bag-of-words.ft-0",
        "tasks.mood.floor-untrained.mlm.seed-0.ft-0",
    ):
        assert cell in printed
    assert not run.exists()


def test_a_study_file_names_them_by_their_options(tasks, tmp_path, capsys):
    study = tmp_path / "study.toml"
    study.write_text(
        f'preset = "demo"\nobjectives = ["mlm"]\n[evaluation]\nsuites = ["tasks"]\n'
        f"[options.tasks]\nfile = {json.dumps(str(tasks))}\n"
    )
    words = ["run", "--config", str(study), "--out", str(tmp_path / "run"), "--dry-run"]
    assert main(words) == 0
    assert "tasks.mood.mlm.seed-0.100pct.ft-0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"said"', '"sayed"', "mood.csv has no column 'sayed' (its columns: said, meant)"),
        ('"accuracy"', '"acuracy"', "unknown metric of classification 'acuracy'; did you mean"),
        ("share", "shar", "unknown setting 'shar'; did you mean 'share'?"),
        ("mood]", "MOOD]", "a task cannot be called 'MOOD'"),
    ],
)
def test_a_fault_is_one_line_before_anything_is_run(old, new, message, tasks, tmp_path, capsys):
    tasks.write_text(TASK.replace(old, new))
    run = tmp_path / "run"
    for more in ([], ["--dry-run"]):
        assert main([*DEMO, "--tasks", str(tasks), "--out", str(run), *more]) == 2
        printed = capsys.readouterr()
        assert message in printed.err.replace("\n", " ")
        assert printed.err.startswith("objbench: error: ")
        assert not run.exists()


def test_a_file_that_is_not_there_is_a_usage_error(command_line):
    assert "--tasks nowhere.toml: there is no such file" in command_line.refusal(
        [*DEMO, "--tasks", "nowhere.toml"]
    )
    assert "--tasks ..: it is no file" in command_line.refusal([*DEMO, "--tasks", ".."])


def test_the_suites_are_shown_without_a_file(capsys):
    assert main(["show", "tasks"]) == 0
    printed = capsys.readouterr().out
    assert "tasks: tasks has no tasks: name a file of them with --tasks FILE" in printed
    assert "  protocol = 'small-encoder'  (str)" in printed
