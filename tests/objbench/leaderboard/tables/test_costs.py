"""The table of steps from made numbers: every cell can be worked out in the head."""

import pytest

from objbench.leaderboard.tables.costs import step_sentence, step_table
from objbench.results.records import Provenance
from objbench.results.step_comparison import ComparedStep, StepComparison


def step(objective, seconds, flops, memory):
    return ComparedStep(
        objective=objective,
        seconds=seconds,
        shortest=0.8 * seconds,
        longest=1.5 * seconds,
        flops=flops,
        peak_memory=memory * 2**20,
        memory_kind="live tensors",
    )


def made(base_flops=8e9):
    mlm = step("mlm", 0.010, base_flops, 40)
    slow = step("slow_one", 1.52, 12e9, 50)
    return StepComparison(
        baseline="mlm",
        objectives=(mlm, slow),
        repetitions=7,
        cost_keys={},
        provenance=Provenance(
            command="objbench run",
            versions={"torch": "2.9.0", "objbench": "0.1.0", "numpy": "2.0.0"},
            device="Test *CPU* (2 cores)",
            threads=1,
            processes=1,
            git_commit=None,
            started="2026-01-01T00:00:00+00:00",
            finished="2026-01-01T00:01:00+00:00",
        ),
    )


def test_time_flops_and_memory_against_the_baseline(rows):
    mlm, slow = rows(step_table(made()))
    assert list(mlm) == ["objective", "time", "fastest to slowest", "FLOPs", "peak memory"]
    assert list(mlm.values()) == [
        "mlm",
        "10.0 ms (1.00x)",
        "8.00 ms to 15.0 ms",
        "8.00B (1.00x)",
        "40.0 MiB (1.00x)",
    ]
    assert list(slow.values()) == [
        "slow_one",
        "1.52 s (152.00x)",
        "1.22 s to 2.28 s",
        "12.0B (1.50x)",
        "50.0 MiB (1.25x)",
    ]


def test_it_says_how_and_where():
    text = step_sentence(made())
    for said in (
        "ratio to mlm",
        "medians of 7 steps",
        "(live tensors)",
        "Test *CPU* (2 cores), 1 thread, with objbench 0.1.0 and torch 2.9.0.",
    ):
        assert said in text
    assert "numpy" not in text


@pytest.mark.filterwarnings("error")
def test_a_baseline_without_flops_is_not_divided_by(rows):
    assert [row["FLOPs"] for row in rows(step_table(made(base_flops=0.0)))] == ["0", "12.0B"]
