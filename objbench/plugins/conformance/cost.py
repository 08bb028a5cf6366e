"""The cost of a step compared with that of another objective: reported, without a limit."""

from __future__ import annotations

from objbench.engine.measuring.step_comparison import compare_steps
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.subject import Subject
from objbench.results.step_comparison import ComparedStep


def step_cost(subject: Subject) -> str:
    """Seconds, FLOPs and peak memory of a whole step, as multiples of the other objective's."""
    if subject.against is None:
        raise NotChecked("name an objective to compare the cost with: --against NAME")
    other, own = compare_steps([subject.against, subject.job])
    if not own.flops > 0:
        raise Broken("the step has no FLOPs")
    return (
        f"{_ratio(own, other)} of {other.objective}: {1e3 * own.seconds:.1f} ms, "
        f"{own.flops:.3g} FLOPs, {own.peak_memory / 2**20:.0f} MiB"
    )


def _ratio(own: ComparedStep, other: ComparedStep) -> str:
    seconds = own.seconds / max(other.seconds, 1e-9)
    flops = own.flops / max(other.flops, 1.0)
    memory = own.peak_memory / max(other.peak_memory, 1)
    return f"{seconds:.2f}x the seconds, {flops:.2f}x the FLOPs, {memory:.2f}x the memory"


CHECKS = (
    Check(
        "cost of a step",
        "objectives are compared at equal compute: a step that takes twice as long must bring "
        "twice as much",
        "make sure that a step runs to its end on a few batches, forward and backward",
        step_cost,
        by_mode=False,
    ),
)
