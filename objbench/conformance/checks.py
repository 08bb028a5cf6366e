"""All checks, in the order in which a fault is best mended: shapes first, then the long ones."""

from __future__ import annotations

from objbench.conformance import (
    agreement,
    cost,
    declared_flops,
    extremes,
    gradient_flow,
    invariance,
    losses,
    side_effects,
    training,
    two_processes,
)
from objbench.conformance.check import Check

CHECKS: tuple[Check, ...] = (
    *losses.CHECKS,
    *gradient_flow.CHECKS,
    *side_effects.CHECKS,
    *invariance.CHECKS,
    *extremes.CHECKS,
    *agreement.CHECKS,
    *two_processes.CHECKS,
    *declared_flops.CHECKS,
    *training.CHECKS,
    *cost.CHECKS,
)
