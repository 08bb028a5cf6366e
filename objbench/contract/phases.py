"""Objectives that change from one kind of batch to another at a share of their budget.

The shares of ``Objective.modes`` are then shares of the steps of a budget, one mode first and another
after it, and not of the steps around any one of them. So the mean over the modes is what a step of
the whole budget costs, and not a step of its first half: what was spent up to a point is summed phase
by phase (``results.phase_costs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

from objbench.contract.composition import Composition, ObjectiveClass

if TYPE_CHECKING:
    from objbench.contract.batch import Batch
    from objbench.contract.objective import Objective
    from objbench.contract.random_streams import Streams


class InPhases:
    """The first base of an objective whose modes follow each other: ``class Mine(InPhases, Objective)``.

    The points of the schedule "trunk" share their first steps and have no budget in common, so it is
    refused where ``has_phases``: a point would get other shares than those its cost is counted
    with.

    Attributes:
        phases: the modes in the order in which they come. How much of the steps each takes is its
            share in ``modes``; those without a share there are left out.
    """

    phases: ClassVar[tuple[str, ...]] = ()
    config: Any

    @classmethod
    def has_phases(cls, config: Any) -> bool:
        """Whether the modes follow each other with these options; by default they do."""
        return True

    def mode_of(self, batch: Batch, streams: Streams) -> str:
        """The mode of ``batch``: its own, or that of its phase; without phases, one that is drawn."""
        if batch.mode is None and self.has_phases(self.config):
            return phase_at(phase_shares(self), batch.progress)
        drawn: str = super().mode_of(batch, streams)  # type: ignore[misc]  # Objective's
        return drawn


def has_phases(kind: ObjectiveClass, config: Any) -> bool:
    """Whether the objective of ``kind`` goes through phases with the options of ``config``."""
    base = kind
    if isinstance(kind, Composition):
        base, config = kind.base, config.parts[kind.base.name]
    return isinstance(base, type) and issubclass(base, InPhases) and base.has_phases(config)


def phase_shares(objective: Objective | InPhases) -> dict[str, float]:
    """The modes of a built objective in the order of its phases, each with its share of the steps.

    Empty where it has no phases.

    Raises:
        ValueError: its class does not say in which order its modes come.
    """
    if not isinstance(objective, InPhases) or not objective.has_phases(objective.config):
        return {}
    modes: Mapping[str, float] = objective.modes  # type: ignore[attr-defined]  # Objective's
    if missing := modes.keys() - {*objective.phases}:
        raise ValueError(
            f"{type(objective).__name__}.phases is {objective.phases}, without the mode "
            f"{min(missing)!r}: name all modes in the order in which they come"
        )
    return {mode: modes[mode] for mode in objective.phases if mode in modes}


def phase_at(shares: Mapping[str, float], progress: float) -> str:
    """The phase of a step in whose middle a share ``progress`` of the budget is spent.

    Args:
        shares: as ``phase_shares`` gives them; not empty.
    """
    bounds = zip(shares, accumulate(shares.values()), strict=True)
    return next((mode for mode, bound in bounds if progress < bound), [*shares][-1])
