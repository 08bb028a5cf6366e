"""All checks, in the order in which faults are best fixed: shapes first, then the slow ones."""

from __future__ import annotations

from objbench.plugins.conformance import (
    agreement,
    corruption,
    cost,
    declared_flops,
    declared_rate,
    extremes,
    gradient_flow,
    invariance,
    losses,
    modes,
    ownership,
    parts,
    side_effects,
    training,
    two_processes,
)
from objbench.plugins.conformance.check import Check

CHECKS: tuple[Check, ...] = (
    *losses.CHECKS,
    *gradient_flow.CHECKS,
    *side_effects.CHECKS,
    *corruption.CHECKS,
    *declared_rate.CHECKS,
    *modes.CHECKS,
    *ownership.CHECKS,
    *invariance.CHECKS,
    *extremes.CHECKS,
    *agreement.CHECKS,
    *two_processes.CHECKS,
    *parts.CHECKS,
    *declared_flops.CHECKS,
    *training.CHECKS,
    *cost.CHECKS,
)
