"""``objbench leaderboard`` from the command line: a page, an index, and errors of one line."""

import pytest

from objbench.cli.main import main

USAGE_ERRORS = [
    (["leaderboard"], "give a run folder (runs/demo) or --index DIR"),
    (["leaderboard", "nowhere"], "nowhere holds no plan.json"),
    (["leaderboard", "--index"], "expected one argument"),
    (["leaderboard", "--index", "nowhere"], "nowhere holds no folder with a plan.json"),
    (["leaderboard", "run", "--index", "."], "--index goes with --out only"),
    (["leaderboard", "--index", ".", "--with-records"], "--index goes with --out only"),
    (["leaderboard", "--indx", "."], "did you mean '--index'?"),
]


@pytest.mark.parametrize(("words", "message"), USAGE_ERRORS)
def test_a_usage_error_is_one_line_and_exit_code_2(words, message, command_line):
    assert message in command_line.refusal(words)


def test_a_page_and_an_index(make_study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_study().write(tmp_path / "runs" / "first")
    words = ["leaderboard", "runs/first", "--out", "results/first", "--with-records"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "taco-2022 gain, by glue score: inconclusive at 1.23M parameters" in printed
    assert printed.endswith("leaderboard: results/first/README.md\n")
    assert main(["leaderboard", "--index", "results"]) == 0
    assert capsys.readouterr().out == "index: results/README.md\n"
    text = (tmp_path / "results" / "README.md").read_text()
    assert "| [page](first/README.md) |" in text
    assert main(["leaderboard", "--index", "results", "--out", "elsewhere"]) == 0
    assert (tmp_path / "elsewhere" / "README.md").read_text() == text
