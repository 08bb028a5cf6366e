"""Whether two objectives of a study were given equal budgets, and what each actually spent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from objbench.contract.meters import AXIS_WORDS
from objbench.judge.formatting import three_digits
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.study_results import StudyResults


def budget_mismatch(plan: Plan, objective: PlannedObjective) -> str:
    """Why the objective's planned budget is not the baseline's; "" where it is.

    Equal means that, on the axis of ``equalize``, they differ by at most one step of the more
    expensive objective, since a budget is spent in whole steps.
    """
    baseline = next(item for item in plan.objectives if item.name == plan.baseline)
    step, reference = (_step_cost(item, plan.equalize) for item in (objective, baseline))
    if step is None or reference is None:
        return f"its cost in {AXIS_WORDS[plan.equalize]} is not known"
    spend, allowed = step * objective.steps, reference * baseline.steps
    # The rounding of the costs themselves is not a difference either.
    if abs(spend - allowed) <= max(step, reference) * (1 + 1e-6) + 1e-9 * allowed:
        return ""
    share = three_digits(100 * spend / allowed)
    return f"its budget is {share}% of the baseline's in {AXIS_WORDS[plan.equalize]}"


def measured_spend(results: StudyResults) -> Mapping[str, float]:
    """Objective -> what it actually spent on the axis of ``equalize``, as the mean over seeds.

    Includes only objectives whose pretraining runs are all finished.
    """
    found = {}
    for objective in results.plan.objectives:
        last = [r.points[-1].meters for r in results.pretrained(objective.name) if r.points]
        if len(last) == len(results.seeds):
            spends = [float(getattr(meters, results.plan.equalize)) for meters in last]
            found[objective.name] = float(np.mean(spends))
    return found


def _step_cost(objective: PlannedObjective, axis: str) -> float | None:
    if axis == "steps":
        return 1.0
    costs: dict[str, float | None] = {
        "tokens": float(objective.tokens_per_step),
        "flops": objective.flops_per_step,
        "seconds": objective.seconds_per_step,
    }
    return costs[axis]
