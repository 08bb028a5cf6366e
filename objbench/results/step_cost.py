"""What one optimizer step of an objective costs, as it was counted and timed.

It is kept in the run folder, so that a time budget gives the same number of steps whenever the
study is continued.
"""

from __future__ import annotations

from pydantic import Field, TypeAdapter

from objbench.contract.meters import Axis
from objbench.errors import BudgetError
from objbench.results.foreign_values import KeyOrNone, NameOrNone, Positive
from objbench.results.json_files import Stored
from objbench.results.phase_costs import PhaseCosts
from objbench.results.realised_rate import RealisedRate
from objbench.results.training_points import is_empty


class StepCost(Stored):
    """What one optimizer step of an objective costs.

    Attributes:
        tokens: non-padding tokens, over all processes.
        flops: training FLOPs, over all processes.
        seconds: device seconds; None where it has not been calibrated.
        rate: the share of the tokens that it predicts; None where none is declared.
        phases: what a step costs in each phase of the budget; empty where there are none. ``flops``
            is their mean.
    """

    tokens: Positive
    flops: Positive
    seconds: Positive | None = None
    rate: RealisedRate | None = None
    phases: PhaseCosts = Field(default=(), exclude_if=is_empty)

    def on(self, axis: Axis) -> float:
        """The cost of a step on ``axis``.

        Raises:
            BudgetError: seconds are asked for and have not been calibrated.
        """
        if axis == "steps":
            return 1.0
        value = {"tokens": self.tokens, "flops": self.flops, "seconds": self.seconds}[axis]
        if value is None:
            raise BudgetError("the seconds of a step have not been calibrated")
        return value


class KeptCost(StepCost):
    """The same in its file, which says whose it is.

    Attributes:
        objective: its name; "" in files from before that was kept.
        key: of all that the cost depends on; "" in files from before that was kept.
    """

    objective: NameOrNone = ""
    key: KeyOrNone = ""


KEPT_COST = TypeAdapter(KeptCost)
