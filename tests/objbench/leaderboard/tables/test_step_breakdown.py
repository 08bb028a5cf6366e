"""The overhead table from made numbers: every cell can be worked out in the head."""

import pytest

from objbench.leaderboard.tables.step_breakdown import overhead_table
from objbench.results.records import Provenance
from objbench.results.step_breakdown import MatmulPeak, Overhead, PartCost, StepOverhead


def cost(seconds, flops=0.0):
    return PartCost(seconds=seconds, shortest=0.8 * seconds, longest=1.5 * seconds, flops=flops)


def made(base_flops=8e9):
    mlm = StepOverhead(
        objective="mlm",
        corruption=cost(0.001),
        encoder=cost(0.006, 0.75 * base_flops),
        heads_and_loss=cost(0.0025, 0.25 * base_flops),
        optimizer=cost(0.0005),
        whole_step=cost(0.010, base_flops),
        peak_memory=40 * 2**20,
        memory_kind="live tensors",
    )
    slow = StepOverhead(
        objective="slow_one",
        corruption=cost(0.004, 1e9),
        encoder=cost(0.006, 6e9),
        heads_and_loss=cost(1.5, 5e9),
        optimizer=cost(0.001),
        whole_step=cost(1.52, 12e9),
        peak_memory=50 * 2**20,
        memory_kind="live tensors",
    )
    return Overhead(
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


def rows(text):
    """The tables, each a list of rows of cells."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    return [[[c.strip() for c in line.strip("|").split("|")] for line in b] for b in blocks]


def test_times_and_memory_against_the_baselines_whole_step():
    head, _, mlm, slow = rows(overhead_table(made()))[0]
    assert head == [
        "objective",
        "corruption",
        "encoder",
        "heads and loss",
        "optimizer",
        "whole step",
        "FLOPs a step",
        "peak memory",
    ]
    assert mlm == [
        "mlm",
        "1.00 ms (0.10x)",
        "6.00 ms (0.60x)",
        "2.50 ms (0.25x)",
        "0.500 ms (0.050x)",
        "10.0 ms (1.00x)",
        "8.00B (1.00x)",
        "40.0 MiB (1.00x)",
    ]
    assert slow == [
        "slow_one",
        "4.00 ms (0.40x)",
        "6.00 ms (0.60x)",
        "1.50 s (150.00x)",
        "1.00 ms (0.10x)",
        "1.52 s (152.00x)",
        "12.0B (1.50x)",
        "50.0 MiB (1.25x)",
    ]


def test_flops_by_part():
    head, _, mlm, slow = rows(overhead_table(made()))[1]
    assert head == ["objective", "corruption", "encoder", "heads and loss", "whole step"]
    assert mlm[1:] == ["0 (0.000x)", "6.00B (0.75x)", "2.00B (0.25x)", "8.00B (1.00x)"]
    assert slow[1:] == ["1.00B (0.12x)", "6.00B (0.75x)", "5.00B (0.62x)", "12.0B (1.50x)"]


def test_it_says_how_and_where():
    text = overhead_table(made())
    for said in (
        "ratio to the whole step of mlm",
        "medians of 7 steps",
        "Whole steps of mlm took 8.00 ms to 15.0 ms",
        "(live tensors)",
        r"Test \*CPU\* (2 cores), 1 thread, with objbench 0.1.0 and torch 2.9.0.",
    ):
        assert said in text
    assert "numpy" not in text


@pytest.mark.filterwarnings("error")
def test_a_baseline_without_flops_is_not_divided_by():
    mlm = rows(overhead_table(made(base_flops=0.0)))[1][2]
    assert mlm[1:] == ["0 (-)"] * 4


def test_utilisation_is_told_where_the_peak_is_known():
    assert "utilisation" not in overhead_table(made())
    peak = MatmulPeak(flops_per_second=1.6e12, precision="bf16", size=1024)
    text = overhead_table(made().model_copy(update={"peak": peak}))
    # 8 GFLOP in 10 ms, and 12 in 1.52 s.
    assert text.endswith(
        "Model FLOPs utilisation of the whole step: mlm 50% and slow_one 0% of 1.60 TFLOP/s, "
        "measured by a matrix product (1024 x 1024, bf16)."
    )
