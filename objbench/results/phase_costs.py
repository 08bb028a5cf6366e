"""What was spent up to a step by an objective whose kinds of batches follow each other.

A causal step may cost several times a masked one. Where all causal steps come first, a run has spent
more at a tenth of its budget than a tenth of it, although a step costs the mean on average. The run
that records what it spent and whoever checks it ask this module.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

from pydantic import AfterValidator

from objbench.results.foreign_values import Label, Share, Spend
from objbench.results.json_files import Stored


class PhaseCost(Stored):
    """What a step costs in one phase of a budget.

    Attributes:
        mode: the kind of its batches, as the objective calls it.
        share: of the steps of the budget.
        flops_per_step: training FLOPs of one optimizer step, over all processes.
    """

    mode: Label
    share: Share
    flops_per_step: Spend


def _whole(phases: tuple[PhaseCost, ...]) -> tuple[PhaseCost, ...]:
    total = sum(phase.share for phase in phases)
    if phases and not math.isclose(total, 1.0, abs_tol=1e-9):
        raise ValueError(f"the shares of its phases add up to {total:.6g}, not 1")
    return phases


PhaseCosts = Annotated[tuple[PhaseCost, ...], AfterValidator(_whole)]
"""The phases of a budget in their order; empty where all steps are alike, or drawn alike."""


def spent_flops(step: int, steps: int, per_step: float, phases: Sequence[PhaseCost]) -> float:
    """The training FLOPs of the first ``step`` steps of a budget of ``steps``.

    Without phases step * per_step. With phases the sum over p of n_p f_p, where f_p is what a step of
    phase p costs and n_p the number of steps k < step, from 0, with (k + 1/2) / steps in that phase:
    the middle of a step decides which phase it belongs to, as in ``contract.phases``.

    Args:
        step: how many steps were taken.
        steps: N, of the whole budget.
        per_step: FLOPs of a step, as the mean over the budget.
        phases: in their order; empty where the objective has none.
    """
    if not phases:
        return step * per_step
    spent, before = 0.0, 0
    ends = [*accumulate(phase.share for phase in phases)]
    for phase, end in zip(phases, [*ends[:-1], math.inf], strict=True):
        # Searched by the very numbers that the run compares, so that rounding moves no step.
        until = bisect_left(range(step), end, key=lambda k: (k + 0.5) / max(steps, 1))
        spent += (until - before) * phase.flops_per_step
        before = until
    return spent


def mean_flops(phases: Sequence[PhaseCost]) -> float:
    """FLOPs of a step as the mean over the whole budget; there must be phases."""
    return sum(phase.share * phase.flops_per_step for phase in phases)
