"""What a loss on held-out text is called.

It has its term's name, and losses of one name are compared between objectives. But a term that
arranges the batch (``Term.arrange``: swapped segments, say) gives all terms beside it other text to
read: the "mlm" of ``mlm+sop`` and that of ``mlm`` are no more comparable than losses on two
corpora. So the former is called "mlm after sop".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from objbench.results.training_points import ExportedPoint

COMMON = "common"
"""What the loss that every objective is measured by is called, see ``training_points.CommonLoss``; a
term of that name is hidden behind it."""

AFTER = " after "
"""What stands between a term and the terms that have arranged what it is measured on."""


def heldout_name(term: str, arranging: Sequence[str]) -> str:
    """What the held-out loss of ``term`` is called.

    Args:
        term: its name.
        arranging: names of the terms of its objective that arrange the batch; its own arrangement
            belongs to its task.
    """
    others = [name for name in arranging if name != term]
    return f"{term}{AFTER}{' and '.join(others)}" if others else term


def point_losses(point: ExportedPoint) -> dict[str, float]:
    """All held-out losses of a point by their names, the common one among them."""
    common = {} if point.common is None else {COMMON: point.common.loss}
    return {**point.heldout, **common}


def own_loss(losses: Mapping[str, float], name: str) -> float | None:
    """One objective's loss of a name, or of the term of that name on whatever text it has.

    For choices within the objective.

    Args:
        losses: held-out loss by name, of one objective.
        name: as a loss is called, or a term.

    Returns:
        None where there is neither.
    """
    if name in losses:
        return losses[name]
    arranged = (loss for key, loss in losses.items() if key.startswith(name + AFTER))
    return next(arranged, None)
