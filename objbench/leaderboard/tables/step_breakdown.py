"""The overhead table: what a step of each objective takes against the baseline's, part by part."""

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
from objbench.results.step_breakdown import PARTS, Overhead, StepOverhead

NOT_MEASURED = (
    "The parts of a step were not measured: that is done when a study is run, by one process."
)

_COUNTED = (
    "FLOPs of the same steps: matrix products, forward and backward, and what an objective "
    "declares beyond them; the optimizer counts none."
)

_VERSIONS = ("objbench", "torch", "transformers", "python")


def overhead_table(overhead: Overhead) -> str:
    """Time and memory of a step and of its parts, its FLOPs, and how they were measured.

    Two markdown tables with one row an objective and a sentence after each; every number has its
    ratio to the baseline's whole step beside it.
    """
    base = overhead.of(overhead.baseline)
    times = [_time_row(step, base) for step in overhead.objectives]
    flops = [_flops_row(step, base) for step in overhead.objectives]
    return "\n\n".join(
        [
            markdown(pd.DataFrame(times)),
            _how_timed(overhead, base),
            markdown(pd.DataFrame(flops)),
            _COUNTED + _utilisation(overhead),
        ]
    )


def _utilisation(overhead: Overhead) -> str:
    """A sentence on the share of the device's peak; nothing where that is not known."""
    peak = overhead.peak
    if peak is None:
        return ""
    shares = [
        f"{plain(step.objective)} {overhead.utilisation(step.objective) or 0:.0%}"
        for step in overhead.objectives
    ]
    return (
        f" Model FLOPs utilisation of the whole step: {listed(shares)} of "
        f"{three_digits(peak.flops_per_second / 1e12)} TFLOP/s, measured by a matrix product "
        f"({peak.size} x {peak.size}, {peak.precision})."
    )


def _time_row(step: StepOverhead, base: StepOverhead) -> dict[str, str]:
    whole = base.whole_step.seconds
    row = {"objective": plain(step.objective)}
    for part in (*PARTS, "whole_step"):
        seconds = step.part(part).seconds
        row[_title(part)] = _with_ratio(_time(seconds), seconds, whole)
    flops = step.whole_step.flops
    row["FLOPs a step"] = _with_ratio(amount(flops), flops, base.whole_step.flops)
    row["peak memory"] = _with_ratio(memory(step.peak_memory), step.peak_memory, base.peak_memory)
    return row


def _flops_row(step: StepOverhead, base: StepOverhead) -> dict[str, str]:
    row = {"objective": plain(step.objective)}
    for part in ("corruption", "encoder", "heads_and_loss", "whole_step"):
        flops = step.part(part).flops
        row[_title(part)] = _with_ratio(amount(flops), flops, base.whole_step.flops)
    return row


def _how_timed(overhead: Overhead, base: StepOverhead) -> str:
    made = overhead.provenance
    versions = [f"{name} {made.versions[name]}" for name in _VERSIONS if name in made.versions]
    kinds = sorted({step.memory_kind for step in overhead.objectives})
    return (
        f"In brackets: the ratio to the whole step of {plain(overhead.baseline)}. Times are "
        f"medians of {count(overhead.repetitions, 'step')}, the objectives taking turns step by "
        f"step, each part forward and backward; the whole step is timed by itself and fetches its "
        f"batch too, so the parts add up to it only about. Whole steps of "
        f"{plain(overhead.baseline)} took {_time(base.whole_step.shortest)} to "
        f"{_time(base.whole_step.longest)}. Peak memory: weights, optimizer state and the most "
        f"that a step holds beyond them ({listed(kinds)}). Measured on {plain(made.device)}, "
        f"{count(made.threads, 'thread')}, with {plain(listed(versions))}."
    )


def _title(part: str) -> str:
    return part.replace("_", " ")


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else f"{three_digits(seconds * 1000)} ms"


def _with_ratio(text: str, value: float, reference: float) -> str:
    if not reference:
        return f"{text} ({DASH})"
    share = value / reference
    # A corruption is often below a hundredth of a step.
    return f"{text} ({ratio(share) if share >= 0.1 else f'{share:.3f}x'})"
