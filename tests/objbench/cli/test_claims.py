"""``objbench claims`` lists every claim that ships, and makes the committed page."""

import re
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.judge.papers.claims import READ_WORDS, shipped_claims

ROOT = Path(__file__).parents[3]
SHIPPED = [(file, claim) for file in shipped_claims() for claim in file.claims]


@pytest.fixture
def printed(capsys):
    """What the command prints with these arguments."""

    def run(*words):
        assert main(["claims", *words]) == 0
        return capsys.readouterr().out

    return run


def test_every_claim_is_a_line(printed):
    titles, *lines = printed().splitlines()
    assert titles.split()[:2] == ["CLAIM", "OBJECTIVE"]
    assert len(lines) == len(SHIPPED)
    for line, (file, claim) in zip(lines, SHIPPED, strict=True):
        assert line.startswith(f"{file.name} {claim.id} ")
        assert file.sides in line
        assert line.split()[-1] in READ_WORDS
    (speedup,) = (line for line in lines if line.startswith("ankner-2024 speedup-base"))
    assert "up to 1.89x in steps" in speedup
    assert speedup.split()[-2:] == ["3", "abstract"]


def test_on_a_terminal_the_lines_are_as_wide_as_it(printed, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    wrapped = printed()
    assert max(map(len, wrapped.splitlines())) < 100
    # No letter is lost.
    letters = sorted("".join(wrapped.split()))
    monkeypatch.setenv("COLUMNS", "1000")
    assert letters == sorted("".join(printed().split()))


def test_the_committed_page_is_what_the_command_makes(printed, monkeypatch):
    monkeypatch.chdir(ROOT)
    made = printed("--markdown", "--studies", "leaderboard")
    committed = (ROOT / "leaderboard/claims/README.md").read_text("utf-8")
    command = "objbench claims --markdown --studies leaderboard > leaderboard/claims/README.md"
    assert made == committed, f"run: {command}"
    assert command in made


def test_every_link_of_the_page_leads_somewhere(printed):
    page = ROOT / "leaderboard/claims"
    made = printed("--markdown", "--studies", str(ROOT / "leaderboard"))
    links = [link for link in re.findall(r"\]\(([^)]+)\)", made) if "://" not in link]
    assert len(links) > len(SHIPPED)
    assert all((page / link).is_file() or link == "README.md" for link in links)


def test_without_studies_nothing_is_said_of_evidence(printed):
    made = printed("--markdown")
    assert "evidence" not in made
    assert "What the studies here say" not in made


def test_a_folder_without_studies_is_refused(tmp_path, capsys):
    assert main(["claims", "--studies", str(tmp_path)]) == 2
    assert "holds no folder with a plan.json" in capsys.readouterr().err
