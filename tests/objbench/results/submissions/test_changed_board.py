"""On a board nothing of what was sent may change, though every seal is made anew."""

import json
import shutil
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.errors import RecordError
from objbench.results.json_files import sealed
from objbench.results.study_results import read_study_results
from objbench.results.submissions.foreign_folder import copy_sent, sent_files
from objbench.results.submissions.lines_again import lines_again

TRACK = Path(__file__).parents[4] / "leaderboard" / "track" / "toy"
STUDIES = [TRACK / name for name in ("bert", "modern", "taco")]


@pytest.fixture
def accepted(tmp_path):
    """A copy of a study on a board, to be changed."""
    return Path(shutil.copytree(STUDIES[0], tmp_path / "accepted"))


def anew(path, change):
    """Change the content of a file and make its seal anew."""
    body = json.loads(path.read_text())
    body.pop("sha256")
    change(body)
    path.write_text(json.dumps(sealed(body)))


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_published_studies_are_what_was_sent(study):
    assert read_study_results(study).sent_in.standing == "verified"
    assert {"lines.json", "overhead.json", "statement.json"} < {*sent_files(study)}


def lower(lines):
    lines["lines"]["masked"]["bigram"] = 1.3405


def slower(comparison):
    for step in comparison["objectives"]:
        step["seconds"] = step["longest"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("lines.json", lower),
        ("overhead.json", slower),
        ("statement.json", lambda said: said.update(by="somebody else")),
    ],
)
def test_a_file_that_was_changed_with_its_seal_is_refused(accepted, name, change):
    anew(accepted / name, change)
    with pytest.raises(RecordError, match="is of other files than those beside it"):
        read_study_results(accepted)


def test_a_file_that_is_gone_or_was_added_is_refused(accepted):
    (accepted / "lines.json").rename(accepted / "NOTES.md")
    with pytest.raises(RecordError, match="is of other files"):
        read_study_results(accepted)
    (accepted / "NOTES.md").rename(accepted / "lines.json")
    source = accepted / "plugins" / ("0" * 64) / "theirs.py"
    source.parent.mkdir(parents=True)
    source.write_text("")
    with pytest.raises(RecordError, match="is of other files"):
        read_study_results(accepted)


def test_a_copy_with_its_records_is_the_same_study(accepted, tmp_path):
    out = tmp_path / "copy"
    out.mkdir()
    assert main(["leaderboard", str(accepted), "--out", str(out), "--with-records"]) == 0
    for name in sent_files(accepted):
        assert (out / name).read_bytes() == (accepted / name).read_bytes()
    assert read_study_results(out).sent_in == read_study_results(accepted).sent_in
    # What another study had there before is not left beside it.
    (accepted / "lines.json").unlink()
    copy_sent(accepted, out)
    assert not (out / "lines.json").exists()


def test_lines_that_are_measured_again_are_compared():
    lines = read_study_results(STUDIES[0]).lines
    again = lines_again(lines, lines)
    assert (again.numbers, again.equal, again.differences) == (12, 12, ())
    assert lines_again(None, lines) is None and lines_again(lines, None) is None
    masked = lines.lines["masked"]

    def other(**values):
        kinds = {**lines.lines, "masked": masked.model_copy(update=values)}
        return lines_again(lines, lines.model_copy(update={"lines": kinds}))

    close = other(bigram=masked.bigram * (1 + 1e-9))
    assert (close.numbers, close.equal, close.differences) == (12, 11, ())
    (found,) = other(bigram=masked.bigram * (1 + 1e-5)).differences
    assert (found.what, found.sent) == ("bigram loss of masked tokens", masked.bigram)
    (found,) = other(neighbours=None).differences
    assert (found.what, found.found) == ("neighbours loss of masked tokens", None)
