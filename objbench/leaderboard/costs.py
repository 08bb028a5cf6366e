"""What each objective's pretraining took, and the losses on held-out text that it ended with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.judge.spending import Spent, spent
from objbench.judge.statistics.estimate import Estimate
from objbench.judge.teacher_costs import uncounted
from objbench.leaderboard.run_learning import mean_of_counted, run_learning
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

    Over the runs that are not stuck, as ``mean_of_counted``. The weighted sum of the terms is called
    "loss". Objectives without a finished run are left out.
    """
    found = {}
    for name, learnt in run_learning(results).items():
        seeds = dict(zip(results.seeds, learnt.counted, strict=True))
        ends = [(r.points[-1].heldout, seeds[r.seed]) for r in results.pretrained(name) if r.points]
        if ends:
            terms = {term for end, _ in ends for term in end}
            losses = {term: np.array([end.get(term, np.nan) for end, _ in ends]) for term in terms}
            counted = np.array([is_counted for _, is_counted in ends])
            found[name] = {
                term: own
                for term in sorted(terms, key=lambda name: (name == "loss", name))
                if (own := mean_of_counted(losses[term], counted)) is not None
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
