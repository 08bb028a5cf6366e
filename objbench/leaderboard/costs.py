"""What each objective's pretraining took, and the losses on held-out text that it ended with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.judge.spending import Spent, spent
from objbench.judge.statistics.estimate import Estimate, estimate
from objbench.judge.teacher_costs import uncounted
from objbench.results.records import Cost
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveCost:
    """One objective's cost, in the mean over its finished pretraining seeds.

    Attributes:
        seeds: how many pretraining runs are finished.
        spent: its runs, their cooldown branches and the tuning trials.
        meters: compute axis -> what a run spent on it; empty where none is finished.
        costs: as recorded, one per run that has one.
        teachers: teacher -> what its pretraining took, which is not in the objective's budget.
    """

    objective: str
    seeds: int
    spent: Spent
    meters: Mapping[str, float]
    costs: tuple[Cost, ...]
    teachers: Mapping[str, str]

    def mean(self, field: str) -> float | None:
        """The mean over the runs of a field of their costs; None where no run has one."""
        if not self.costs:
            return None
        return float(np.mean([getattr(cost, field) for cost in self.costs]))


def objective_costs(results: StudyResults) -> tuple[ObjectiveCost, ...]:
    """The cost of every objective, in the order of the plan."""
    return tuple(_cost(results, item.name) for item in results.plan.objectives)


def heldout_losses(results: StudyResults) -> Mapping[str, Mapping[str, Estimate]]:
    """Objective -> term -> its loss on held-out text at the end of the budget, over seeds.

    The weighted sum of the terms is called "loss". Objectives without a finished run are left out.
    """
    found = {}
    for objective in results.plan.objectives:
        ends = [r.points[-1].heldout for r in results.pretrained(objective.name) if r.points]
        if ends:
            terms = sorted({name for end in ends for name in end}, key=lambda n: (n == "loss", n))
            found[objective.name] = {
                term: estimate(np.array([end[term] for end in ends if term in end]))
                for term in terms
            }
    return found


def _cost(results: StudyResults, objective: str) -> ObjectiveCost:
    records = results.pretrained(objective)
    taken = spent(results, objective)
    axes = ("steps", "tokens", "flops", "seconds") if taken.runs else ()
    return ObjectiveCost(
        objective=objective,
        seeds=len(records),
        spent=taken,
        meters={a: float(np.mean([getattr(run, a) for run in taken.runs])) for a in axes},
        costs=tuple(record.cost for record in records if record.cost is not None),
        teachers=uncounted(results, objective),
    )
