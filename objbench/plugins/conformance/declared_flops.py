"""The FLOPs that ``extra_flops`` declares must match those of a second counter on the same step.

torch's counter sees matrix products. An objective declares what it computes by other means; a
budget in FLOPs is only fair if that work is neither forgotten nor counted twice. The second counter
(``contractions``) counts it on one step, forward and backward. The two numbers may differ by
TOLERANCE of all FLOPs of the step, too little to matter for a budget.
"""

from __future__ import annotations

import math
from dataclasses import replace

from objbench.engine.training.flops import declared_flops, expected, flop_counter
from objbench.plugins.conformance.check import Broken, Check, NotChecked
from objbench.plugins.conformance.contractions import ContractionCounter
from objbench.plugins.conformance.subject import Subject, losses

TOLERANCE = 0.02
"""Share of the step's FLOPs."""


def declared_and_counted(subject: Subject) -> str:
    """The FLOPs declared for one batch, against those that the second counter finds.

    Both are expectations over the objective's modes.
    """
    objective, shape = subject.step().objective, subject.batch().input_ids.shape
    plain = objective.extra_flops(*shape)
    if not isinstance(plain, int | float) or not 0 <= plain < math.inf:
        raise Broken(f"extra_flops returns {plain!r}, not a non-negative number")
    declared = expected(declared_flops(objective, *shape), objective.modes)
    seen, found = 0.0, 0.0
    opaque: set[str] = set()
    for mode, share in objective.modes.items():
        products, second = _counted(replace(subject, mode=mode))
        seen, found = seen + share * products, found + share * second.flops
        opaque |= second.opaque
    allowed = TOLERANCE * (seen + max(found, declared))
    counts = f"declared {declared:.3g}, counted {found:.3g}, matrix products {seen:.3g}"
    if abs(declared - found) <= allowed:
        return counts
    if opaque:
        raise NotChecked(f"{counts}; cannot look into {', '.join(sorted(opaque))}")
    raise Broken(
        f"{counts}: off by {abs(declared - found) / max(seen, 1):.1%} of the matrix products"
    )


def _counted(subject: Subject) -> tuple[float, ContractionCounter]:
    """The FLOPs of a step by torch's counter, and a second counter that saw the same step."""
    module, batch = subject.step(), subject.batch()
    with flop_counter() as counter:
        losses(module, batch, subject.streams(batch)).backward()
    # Separately: the first counter sees attention as one operator, the second sees its parts.
    module, second = subject.step(), ContractionCounter()
    with second:
        losses(module, batch, subject.streams(batch)).backward()
    return float(counter.get_total_flops()), second


CHECKS = (
    Check(
        "declared FLOPs are counted",
        "at equal FLOPs, the cheaper the step, the more steps an objective gets: work that is "
        "not declared is an unfair advantage, work declared twice a handicap",
        "declare in Term.extra_flops what gathers, multiplies and sums (2 per multiply-add, "
        "forward and backward), but no matmul, which torch's counter sees",
        declared_and_counted,
        by_mode=False,
    ),
)
