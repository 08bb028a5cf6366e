"""Objectives that change from one kind of batch to another at a share of their budget.

The shares of ``Objective.modes`` are then shares of the steps of a budget, one mode first and another
after it, and not of the steps around any one of them.
"""

from __future__ import annotations

from typing import Any

from objbench.contract.composition import Composition, ObjectiveClass


class InPhases:
    """Beside ``Objective`` among the bases of a class whose ``mode_of`` reads ``Batch.progress``.

    The points of the schedule "trunk" share their first steps and have no budget in common, so it is
    refused where ``has_phases``: a point would get other shares than those its cost is counted
    with.
    """

    @classmethod
    def has_phases(cls, config: Any) -> bool:
        """Whether the mode depends on ``Batch.progress`` with these options; by default it does."""
        return True


def has_phases(kind: ObjectiveClass, config: Any) -> bool:
    """Whether the objective of ``kind`` goes through phases with the options of ``config``."""
    base = kind
    if isinstance(kind, Composition):
        base, config = kind.base, config.parts[kind.base.name]
    return isinstance(base, type) and issubclass(base, InPhases) and base.has_phases(config)
