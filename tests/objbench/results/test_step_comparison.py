"""The stored comparison of steps: read back as written, and refused where it is damaged."""

import json

import pytest
from pydantic import ValidationError

from objbench.errors import RecordError
from objbench.results.records import Provenance
from objbench.results.run_folder import RunFolder
from objbench.results.step_comparison import ComparedStep, StepComparison


def step(objective, scale=1.0):
    return ComparedStep(
        objective=objective,
        seconds=0.010 * scale,
        shortest=0.005 * scale,
        longest=0.020 * scale,
        flops=8e9 * scale,
        peak_memory=int(2**20 * scale),
        memory_kind="live tensors",
    )


@pytest.fixture
def comparison():
    return StepComparison(
        baseline="mlm",
        objectives=(step("taco", 2.0), step("mlm")),
        repetitions=7,
        cost_keys={"mlm": "1" * 64, "taco": "2" * 64},
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


def test_what_is_written_is_read_back_in_its_order(comparison, tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_step_comparison() is None
    folder.write_step_comparison(comparison)
    assert (tmp_path / "overhead.json").is_file()
    found = folder.read_step_comparison()
    assert found == comparison
    assert [one.objective for one in found.objectives] == ["taco", "mlm"]
    assert found.of("mlm").seconds == 0.010
    with pytest.raises(KeyError):
        found.of("electra")


@pytest.mark.parametrize("damage", ["cut", "negative", "stranger", "no baseline"])
def test_a_damaged_file_is_refused_in_one_line(comparison, tmp_path, damage):
    RunFolder(tmp_path).write_step_comparison(comparison)
    path = tmp_path / "overhead.json"
    body = json.loads(path.read_text())
    del body["sha256"]
    if damage == "negative":
        body["objectives"][0]["seconds"] = -1.0
    elif damage == "stranger":
        body["objectives"][0]["gossip"] = 1
    elif damage == "no baseline":
        body["baseline"] = "electra"
    text = json.dumps(body)
    path.write_text(text[:100] if damage == "cut" else text)
    with pytest.raises(RecordError, match=r"overhead\.json.*delete it") as caught:
        RunFolder(tmp_path).read_step_comparison()
    assert "\n" not in str(caught.value)


def test_a_baseline_that_was_not_measured_is_refused(comparison):
    with pytest.raises(ValidationError, match="'electra' is not among"):
        StepComparison(**{**dict(comparison), "baseline": "electra"})
