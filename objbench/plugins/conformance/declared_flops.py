"""Declared FLOPs: what ``extra_flops`` says, against a second counter's count of the same step.

torch's counter sees matrix products. What an objective does by other means it declares; a budget
in FLOPs is only fair if that is neither forgotten nor counted twice. The second counter
(``contractions``) counts such work on one step, forward and backward, and both numbers may differ
by TOLERANCE of all FLOPs of the step: less does not move a budget.
"""

from __future__ import annotations

import math
from dataclasses import replace

from objbench.engine.training.flops import flop_counter
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.contractions import ContractionCounter
from objbench.plugins.conformance.subject import Subject, losses

TOLERANCE = 0.02
"""Share of the step's FLOPs."""


def declared_and_counted(subject: Subject) -> str:
    """What is declared for one batch, against what the second counter finds in it.

    Both are expectations over the objective's modes.
    """
    objective, shape = subject.step().objective, subject.batch().input_ids.shape
    declared = objective.extra_flops(*shape)
    if not isinstance(declared, int | float) or not 0 <= declared < math.inf:
        raise Broken(f"extra_flops returns {declared!r}, not a number from 0 on")
    seen, found = 0.0, 0.0
    opaque: set[str] = set()
    for mode, share in objective.modes.items():
        products, second = _counted(replace(subject, mode=mode))
        seen, found = seen + share * products, found + share * second.flops
        opaque |= second.opaque
    allowed = TOLERANCE * (seen + max(found, declared))
    told = f"declared {declared:.3g}, counted {found:.3g}, matrix products {seen:.3g}"
    if abs(declared - found) <= allowed:
        return told
    if opaque:
        raise NotChecked(f"{told}; cannot look into {', '.join(sorted(opaque))}")
    raise Broken(f"{told}: off by {abs(declared - found) / max(seen, 1):.1%} of those")


def _counted(subject: Subject) -> tuple[float, ContractionCounter]:
    """FLOPs of a step by torch's counter, and a second counter that has seen the same step."""
    module, batch = subject.step(), subject.batch()
    with flop_counter() as counter:
        losses(module, batch, subject.streams(batch)).backward()
    # Apart: the first counter runs attention whole, the second looks into what runs.
    module, second = subject.step(), ContractionCounter()
    with second:
        losses(module, batch, subject.streams(batch)).backward()
    return float(counter.get_total_flops()), second


CHECKS = (
    Check(
        "declared FLOPs are counted",
        "an equal-FLOPs comparison gives an objective as many steps as its step is cheap: work "
        "that is not declared is a present, work declared twice a handicap",
        "declare in Term.extra_flops what gathers, multiplies and sums (2 a multiply-add, forward "
        "and backward) and nothing that is a matmul, which torch's counter has seen",
        declared_and_counted,
        by_mode=False,
    ),
)
