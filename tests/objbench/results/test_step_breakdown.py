"""What is stored of a step's parts: back as it was, and refused where it is damaged."""

import json

import pytest
from pydantic import ValidationError

from objbench.errors import RecordError
from objbench.results.records import Provenance
from objbench.results.run_folder import overhead_path, read_overhead, write_overhead
from objbench.results.step_breakdown import PARTS, MatmulPeak, Overhead, PartCost, StepOverhead


def cost(seconds, flops=0.0):
    return PartCost(seconds=seconds, shortest=seconds / 2, longest=2 * seconds, flops=flops)


def step(objective, scale=1.0):
    return StepOverhead(
        objective=objective,
        corruption=cost(0.001 * scale),
        encoder=cost(0.006, 6e9),
        heads_and_loss=cost(0.002 * scale, 2e9 * scale),
        optimizer=cost(0.001),
        whole_step=cost(0.010 * scale, 8e9 + 2e9 * (scale - 1)),
        peak_memory=int(2**20 * scale),
        memory_kind="live tensors",
    )


@pytest.fixture
def overhead():
    return Overhead(
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


def test_what_is_written_is_read_back_in_its_order(overhead, tmp_path):
    assert read_overhead(tmp_path) is None
    path = write_overhead(tmp_path, overhead)
    assert path == overhead_path(tmp_path) == tmp_path / "overhead.json"
    found = read_overhead(tmp_path)
    assert found == overhead
    assert [one.objective for one in found.objectives] == ["taco", "mlm"]
    assert found.of("mlm").part("whole_step").seconds == 0.010
    with pytest.raises(KeyError):
        found.of("electra")


def test_shares_are_of_the_parts_together(overhead):
    shares = [overhead.of("taco").share(part) for part in PARTS]
    assert shares == pytest.approx([2 / 13, 6 / 13, 4 / 13, 1 / 13])
    nothing = cost(0.0)
    idle = overhead.of("mlm").model_copy(update=dict.fromkeys(PARTS, nothing))
    assert idle.share("encoder") == 0


def test_utilisation_is_of_the_peak_and_unknown_without_one(overhead, tmp_path):
    assert overhead.peak is None and overhead.utilisation("mlm") is None
    write_overhead(tmp_path, overhead)
    # A file of before the peak was measured.
    path = overhead_path(tmp_path)
    body = json.loads(path.read_text())
    del body["peak"]
    path.write_text(json.dumps(body))
    assert read_overhead(tmp_path) == overhead
    peak = MatmulPeak(flops_per_second=2e12, precision="bf16", size=1024)
    known = overhead.model_copy(update={"peak": peak})
    # 8 GFLOP in 10 ms are 0.8 TFLOP/s; the other's are 10 in 20 ms.
    assert known.utilisation("mlm") == pytest.approx(0.4)
    assert known.utilisation("taco") == pytest.approx(0.25)
    write_overhead(tmp_path, known)
    assert read_overhead(tmp_path).peak == peak


@pytest.mark.parametrize("damage", ["cut", "negative", "stranger", "no baseline"])
def test_a_damaged_file_is_refused_in_one_line(overhead, tmp_path, damage):
    path = write_overhead(tmp_path, overhead)
    body = json.loads(path.read_text())
    if damage == "negative":
        body["objectives"][0]["encoder"]["seconds"] = -1.0
    elif damage == "stranger":
        body["objectives"][0]["gossip"] = 1
    elif damage == "no baseline":
        body["baseline"] = "electra"
    text = json.dumps(body)
    path.write_text(text[:100] if damage == "cut" else text)
    with pytest.raises(RecordError, match=r"overhead\.json.*delete it") as caught:
        read_overhead(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_baseline_that_was_not_measured_is_refused(overhead):
    with pytest.raises(ValidationError, match="'electra' is not among"):
        Overhead(**{**dict(overhead), "baseline": "electra"})
