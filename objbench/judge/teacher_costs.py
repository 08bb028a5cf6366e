"""What an objective's budget leaves out: the pretraining of the teachers that it learns from.

A teacher is an objective of the same study with a budget of its own. Its forward pass in the
learner's steps is counted; its own pretraining is not, so "equal spend" is not all that the
learner had. Every comparison that involves a learner says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from objbench.judge.formatting import amount, duration, listed
from objbench.judge.spending import spent
from objbench.results.plan import Plan
from objbench.results.study_results import StudyResults
from objbench.results.training_points import Meters


def teachers(plan: Plan, objective: str) -> tuple[str, ...]:
    """The objective's teachers and their teachers, each once, nearest first."""
    direct = {item.name: item.teachers for item in plan.objectives}
    found: dict[str, None] = {}
    waiting = list(direct[objective])
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += direct[name]
    return tuple(found)


def uncounted(results: StudyResults, objective: str) -> Mapping[str, str]:
    """Teacher -> what its pretraining took, as the mean over its finished seeds, in words."""
    return {name: taken_text(results, name) for name in teachers(results.plan, objective)}


def uncounted_words(results: StudyResults, objectives: Iterable[str]) -> str:
    """What comparisons of ``objectives`` leave out, as ``not_counted``."""
    return not_counted({objective: uncounted(results, objective) for objective in objectives})


def not_counted(taken: Mapping[str, Mapping[str, str]]) -> str:
    """What comparisons leave out, from objective -> teacher -> what its pretraining took.

    Such as "tacl's budget excludes pretraining its teacher mlm (1.20e14 FLOPs, 31.0 min)"; ""
    where nothing is left out.
    """
    parts = [
        f"{objective}'s budget excludes pretraining its {_noun(found)} "
        + listed([f"{name} ({words})" for name, words in found.items()])
        for objective, found in taken.items()
        if found
    ]
    return "; ".join(parts)


def budget_words(plan: Plan) -> str:
    """What the plan's budgets leave out: ", excluding the pretraining of tacl's teacher mlm"."""
    parts = [
        f"{item.name}'s {_noun(found)} {listed(list(found))}"
        for item in plan.objectives
        if (found := teachers(plan, item.name))
    ]
    return f", excluding the pretraining of {listed(parts)}" if parts else ""


def _noun(names: Iterable[str]) -> str:
    return "teacher" if len(list(names)) == 1 else "teachers"


def taken_text(results: StudyResults, name: str) -> str:
    """What the pretraining of ``name`` took, as the mean over its finished seeds, in words."""
    runs = spent(results, name).runs
    if not runs:
        return "no run recorded"
    return f"{amount(mean_spend(runs, 'flops'))} FLOPs, {duration(mean_spend(runs, 'seconds'))}"


def mean_spend(runs: tuple[Meters, ...], axis: str) -> float:
    """The mean over ``runs`` of what they spent on ``axis``."""
    return float(np.mean([getattr(meters, axis) for meters in runs]))
