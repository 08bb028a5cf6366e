"""The table of optimizer steps: time, FLOPs and memory of each objective against the baseline."""

from __future__ import annotations

import pandas as pd

from objbench.judge.formatting import (
    DASH,
    amount,
    count,
    duration,
    listed,
    markdown,
    memory,
    plain,
    ratio,
    three_digits,
)
from objbench.results.step_comparison import ComparedStep, StepComparison

NOT_MEASURED = "Steps were not compared: that is done when one process runs a study."

_VERSIONS = ("objbench", "torch", "transformers", "python")


def step_table(comparison: StepComparison) -> str:
    """A markdown table with one row per objective, and how it was measured."""
    base = comparison.of(comparison.baseline)
    rows = [_row(step, base) for step in comparison.objectives]
    return "\n\n".join([markdown(pd.DataFrame(rows)), _how_measured(comparison)])


def _row(step: ComparedStep, base: ComparedStep) -> dict[str, str]:
    return {
        "objective": plain(step.objective),
        "time": _with_ratio(_time(step.seconds), step.seconds, base.seconds),
        "fastest to slowest": f"{_time(step.shortest)} to {_time(step.longest)}",
        "FLOPs": _with_ratio(amount(step.flops), step.flops, base.flops),
        "peak memory": _with_ratio(memory(step.peak_memory), step.peak_memory, base.peak_memory),
    }


def _how_measured(comparison: StepComparison) -> str:
    made = comparison.provenance
    versions = [f"{name} {made.versions[name]}" for name in _VERSIONS if name in made.versions]
    kinds = sorted({step.memory_kind for step in comparison.objectives})
    return (
        f"In brackets: the ratio to {plain(comparison.baseline)}. Times are medians of "
        f"{count(comparison.repetitions, 'step')}, with the objectives taking turns. FLOPs count "
        "matrix products, forward and backward, and what an objective declares beyond them. Peak "
        "memory: weights, optimizer state and the most that a step holds beyond them "
        f"({listed(kinds)}). Measured on {plain(made.device)}, {count(made.threads, 'thread')}, "
        f"with {plain(listed(versions))}."
    )


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{three_digits(seconds * 1000)} ms"


def _with_ratio(text: str, value: float, reference: float) -> str:
    return f"{text} ({ratio(value / reference) if reference else DASH})"
