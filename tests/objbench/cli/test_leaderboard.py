"""``objbench leaderboard`` from the command line: a page, an index, and errors of one line."""

import webbrowser

import pytest

from objbench.cli.main import main

USAGE_ERRORS = [
    (
        ["leaderboard"],
        "give a run folder (runs/demo), --index DIR, --across STUDY STUDY or --track DIR",
    ),
    (["leaderboard", "nowhere"], "nowhere holds no plan.json"),
    (["leaderboard", "--index"], "expected one argument"),
    (["leaderboard", "--index", "nowhere"], "nowhere holds no folder with a plan.json"),
    (["leaderboard", "run", "--index", "."], "--index goes with --out only"),
    (["leaderboard", "--index", ".", "--with-records"], "--index goes with --out only"),
    (["leaderboard", "--index", ".", "--format", "html,csv"], "write pages alone: markdown, html"),
    (["leaderboard", "--indx", "."], "did you mean '--index'?"),
    (["leaderboard", "--across"], "expected at least one argument"),
    (["leaderboard", "--across", "nowhere"], "--across compares several studies: name two or more"),
    (["leaderboard", "--across", "nowhere", "here"], "nowhere holds no plan.json"),
    (["leaderboard", "--across", "here", "./here"], "here is named twice"),
    (["leaderboard", "run", "--across", "a", "b"], "--across goes with --out only"),
    (["leaderboard", "--across", "a", "b", "--index", "."], "are three pages: give one of them"),
    (["leaderboard", "--across", "a", "b", "--with-records"], "--across goes with --out only"),
    (["leaderboard", "--across", "a", "b", "--format", "pdf"], "write pages alone"),
    (["leaderboard", "run", "--format", "html,docx"], "unknown value 'docx'"),
    (["leaderboard", "run", "--format", "html", "--with-records"], "add markdown to --format"),
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


def test_a_page_across_scales(make_study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, seeds in (("small", (1, 2, 3)), ("large", (4, 5, 6))):
        study = make_study(seeds=seeds)
        study.plan = study.plan.model_copy(update={"name": name})
        study.write(tmp_path / "runs" / name)
    words = ["leaderboard", "--across", "runs/small", "runs/large"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("taco against mlm by ")
    assert printed.endswith("across scales: runs/across/README.md\n")
    made = (tmp_path / "runs" / "across" / "README.md").read_text()
    assert made.startswith("# Across scales: across\n")
    assert main([*words[:2], "runs/across", "--out", "elsewhere/across"]) == 0
    assert (tmp_path / "elsewhere" / "across" / "README.md").read_text() == made


def test_studies_without_a_common_pair_are_one_line(make_study, tmp_path, command_line):
    make_study(seeds=(1, 2)).write(tmp_path / "a")
    make_study(("mlm", "other"), seeds=(3, 4)).write(tmp_path / "b")
    words = ["leaderboard", "--across", str(tmp_path / "a"), str(tmp_path / "b")]
    assert "no two of these studies compare the same objective" in command_line.refusal(words)


def test_formats_and_a_browser(make_study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or False)
    make_study(points=1).write(tmp_path / "run")
    assert main(["leaderboard", "run", "--format", "csv,json,csv", "--open"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-3:] == [
        "csv: run/leaderboard/tables",
        "json: run/leaderboard/tables.json",
        "html: run/leaderboard/index.html",
    ]
    page = tmp_path / "run" / "leaderboard" / "index.html"
    assert opened == [page.as_uri()]
    assert printed.err == "No browser could be started; open run/leaderboard/index.html in one.\n"
    assert not (page.parent / "README.md").exists()


@pytest.mark.parametrize("browser", [" ", 'x "%s', "/nowhere/browser"])
def test_a_browser_that_does_not_start_is_one_line(
    browser, make_study, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER", browser)
    monkeypatch.setenv("PATH", str(tmp_path))
    # What the library remembers of the browsers that it has found.
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    make_study(points=1).write(tmp_path / "run")
    assert main(["leaderboard", "run", "--format", "html", "--open"]) == 0
    said = "No browser could be started; open run/leaderboard/index.html in one.\n"
    assert capsys.readouterr().err == said


def test_pages_over_many_as_html(make_study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    for name, seeds in (("small", (1, 2, 3)), ("large", (4, 5, 6))):
        study = make_study(seeds=seeds, points=2)
        study.plan = study.plan.model_copy(update={"name": name})
        study.write(tmp_path / "runs" / name)
    (tmp_path / "runs" / "large" / "index.html").write_text("")
    assert main(["leaderboard", "--index", "runs", "--format", "html", "--out", "made"]) == 0
    assert capsys.readouterr().out == "index: made/index.html\n"
    text = (tmp_path / "made" / "index.html").read_text()
    assert 'href="./large/index.html"' in text
    assert 'href="./small/README.md"' in text
    assert not (tmp_path / "made" / "README.md").exists()
    words = ["leaderboard", "--across", "runs/small", "runs/large", "--out", "made/across"]
    assert main([*words, "--open"]) == 0
    assert capsys.readouterr().out.endswith(
        "across scales: made/across/README.md\nacross scales: made/across/index.html\n"
    )
    page = tmp_path / "made" / "across" / "index.html"
    assert opened == [page.as_uri()]
    text = page.read_text()
    pictures = len(list(page.parent.glob("*.svg")))
    assert text.count('<img src="data:image/svg+xml;base64,') == pictures > 0
