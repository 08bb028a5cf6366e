"""The stored reference lines: read back as written, refused where damaged, read without torch."""

import json
import subprocess
import sys

import pytest

from objbench.errors import RecordError
from objbench.results.records import Provenance
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.run_folder import RunFolder


@pytest.fixture
def lines():
    masked = Lines(uniform=8.3, unigram=5.7, bag=5.2, bigram=4.3, neighbours=3.1)
    return ReferenceLines(
        lines={"masked": masked, "next": masked.model_copy(update={"neighbours": None})},
        train_tokens=1_000_000,
        heldout_tokens=5000,
        characters_per_token=3.4,
        key="1" * 64,
        provenance=Provenance(
            command="objbench run",
            versions={"torch": "2.9.0"},
            device="Test CPU (2 cores)",
            threads=1,
            processes=1,
            git_commit=None,
            started="2026-01-01T00:00:00+00:00",
            finished="2026-01-01T00:01:00+00:00",
        ),
    )


def test_what_is_written_is_read_back_and_can_be_removed(lines, tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_reference_lines() is None
    folder.write_reference_lines(lines)
    assert folder.read_reference_lines() == lines
    folder.write_reference_lines(None)
    assert folder.read_reference_lines() is None and not (tmp_path / "lines.json").exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("lines", "masked", "bigram"), float("nan")),
        (("lines", "masked", "neighbours"), float("inf")),
        (("lines", "next", "unigram"), None),
        (("lines", "masked", "gossip"), 1.0),
        (("lines", "backwards"), {}),
        (("lines",), {}),
        (("characters_per_token",), 0.0),
        (("heldout_tokens",), -1),
        (("key",), "../../key"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(lines, tmp_path, place, value):
    RunFolder(tmp_path).write_reference_lines(lines)
    path = tmp_path / "lines.json"
    body = json.loads(path.read_text())
    del body["sha256"]
    inner = body
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(body))
    with pytest.raises(RecordError, match=r"lines\.json.*delete it") as caught:
        RunFolder(tmp_path).read_reference_lines()
    assert "\n" not in str(caught.value)


def test_they_are_read_without_torch():
    code = "import sys, objbench.results.reference_lines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
