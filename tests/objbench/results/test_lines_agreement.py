"""Reference lines that are not those of the study they lie beside are refused, wherever it is read."""

import json
import shutil
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.errors import RecordError
from objbench.results.json_files import sealed
from objbench.results.lines_agreement import is_key_known, lines_faults, unusual_lines
from objbench.results.study_results import read_study_results
from objbench.results.submissions.sealed_study import check_files

BOARD = Path(__file__).parents[3] / "leaderboard"
MEASURED = sorted(path.parent for path in BOARD.glob("**/lines.json"))
NAMES = [path.relative_to(BOARD).as_posix() for path in MEASURED]


@pytest.fixture
def toy(tmp_path):
    """A copy of a published study, to be changed."""
    return Path(shutil.copytree(BOARD / "toy", tmp_path / "toy"))


def change(path, place, value):
    """Put another value into a file, and seal it anew."""
    body = json.loads(path.read_text())
    body.pop("sha256")
    inner = body
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(sealed(body)))


@pytest.mark.parametrize("study", MEASURED, ids=NAMES)
def test_the_key_of_published_lines_can_be_made_again(study):
    found = read_study_results(study)
    records = [*found.records.values()]
    assert is_key_known(found.lines, found.plan, records)
    assert [*lines_faults(found.lines, found.plan, records)] == []
    assert [*unusual_lines(found.lines)] == []


FALSE = [
    (("key",), "ab" * 32, "their key"),
    (("special",), [0, 1, 2, 3], "their key"),
    (("train_tokens",), 0, "0 of the"),
    (("train_tokens",), 10**9, "of the"),
    (("heldout_tokens",), 0, "0 of the"),
    (("heldout_tokens",), 10**9, "of the"),
    (("characters_per_token",), 1e30, "characters_per_token"),
    (("lines", "masked", "uniform"), 6.0, "logarithm of 420 words"),
    (("lines", "next", "uniform"), 8.317766166719343, "logarithm of 420 words"),
    (("lines", "masked", "bigram"), -0.1, "is negative"),
    (("lines", "masked", "neighbours"), None, "has no line of both neighbours"),
    (("lines", "next", "neighbours"), 2.0, "has a line of both neighbours"),
    (("lines",), {"masked": {"uniform": 6.040254711277414, "unigram": 4.0, "bag": 3.0,
                             "bigram": 2.0, "neighbours": 1.0}}, "masked tokens alone"),
]  # fmt: skip
IDS = [f"{'.'.join(place)}={str(value)[:9]}" for place, value, _ in FALSE]


@pytest.mark.parametrize(("place", "value", "said"), FALSE, ids=IDS)
def test_lines_that_cannot_be_those_of_the_study_are_refused(toy, place, value, said):
    change(toy / "lines.json", place, value)
    with pytest.raises(RecordError, match=rf"lines\.json .*{said}.*run the study again"):
        read_study_results(toy)


@pytest.mark.parametrize("words", [[1, 2], "420", 0, None, True])
def test_a_plan_that_does_not_say_how_many_words_there_are_is_refused(toy, words):
    change(toy / "plan.json", ("data", "vocabulary"), words)
    with pytest.raises(RecordError, match=r"lines\.json .*how many words"):
        read_study_results(toy)


def test_lines_of_another_batch_on_the_same_text_are_refused_in_one_line(tmp_path, capsys):
    study = shutil.copytree(BOARD / "ablations", tmp_path / "study")
    shutil.copyfile(BOARD / "ablations-batch" / "lines.json", study / "lines.json")
    assert main(["leaderboard", str(study), "--out", str(tmp_path / "out")]) == 2
    assert "their key is not that of the study's text" in capsys.readouterr().err


def test_lines_from_before_special_tokens_were_kept_are_known_by_our_own_tokenizers(toy):
    assert "special" not in json.loads((toy / "lines.json").read_text())
    change(toy / "plan.json", ("study", "data", "tokenizer"), "bert-base-uncased")
    found = read_study_results(toy)
    assert not is_key_known(found.lines, found.plan, found.records.values())
    change(toy / "lines.json", ("special",), [0, 1, 2, 3, 4])
    found = read_study_results(toy)
    assert is_key_known(found.lines, found.plan, found.records.values())


def test_a_submission_with_lines_of_another_text_has_a_fault(copy_of_submission):
    change(copy_of_submission / "lines.json", ("key",), "ab" * 32)
    faults = check_files(copy_of_submission).faults
    assert "lines.json: their key is not that of the study's text" in faults


@pytest.mark.parametrize(
    ("bigram", "said"), [(6.0, "the bigram loss"), (1.3405, "the neighbours loss")]
)
def test_losses_in_an_unusual_order_are_said_not_to_be_checked(copy_of_submission, bigram, said):
    assert check_files(copy_of_submission).unchecked == []
    change(copy_of_submission / "lines.json", ("lines", "masked", "bigram"), bigram)
    (unchecked,) = check_files(copy_of_submission).unchecked
    assert said in unchecked


@pytest.fixture
def copy_of_submission(tmp_path):
    data = Path(__file__).parents[2] / "data" / "submission"
    return Path(shutil.copytree(data, tmp_path / "sent"))
