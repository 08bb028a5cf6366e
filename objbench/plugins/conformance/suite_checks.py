"""What ``objbench check`` asks of a suite, in the order in which faults are best fixed."""

from __future__ import annotations

from objbench.plugins.conformance import suite_declarations, suite_evaluation
from objbench.plugins.conformance.check import Check

SUITE_CHECKS: tuple[Check, ...] = (*suite_declarations.CHECKS, *suite_evaluation.CHECKS)
