"""Settings that a plan has twice, in its study and beside it: a stranger's may contradict itself.

A page shows what stands beside the study, and keys are made from the study, so both have to say the
same; no plugin has to be here for that. What a plan repeats of a plugin's settings (options, teachers,
columns) is compared where the plugin is here, and its seeds with those that were declared and run.
"""

from __future__ import annotations

from collections.abc import Iterator

from objbench.results.plan import Plan
from objbench.study.study import Study


def restated_faults(plan: Plan, study: Study) -> Iterator[str]:
    """Where the settings that a plan repeats are not those of its study, one line each.

    Args:
        plan: from a stranger.
        study: the study of the plan.
    """
    for what, said, of_study in (
        ("objectives", [objective.name for objective in plan.objectives], list(study.objectives)),
        ("baseline", plan.baseline, study.objectives[0]),
        ("budget", plan.budget, study.budget),
        ("equalize", plan.equalize, study.equalize),
        # A plan has its curve suites last.
        ("suites", sorted(s.name for s in plan.suites), sorted(study.evaluation.suites)),
        # A later command need not repeat the looks that the first one has declared.
        ("looks", plan.looks, study.looks or plan.looks),
    ):
        if said != of_study:
            yield f"plan.json: its {what} are not those of its study"
    for objective in plan.objectives:
        if objective.overrides != study.overrides.get(objective.name, {}):
            yield f"plan.json: the overrides of {objective.name} are not those of its study"
    if not isinstance(plan.data.get("key"), str):
        yield "plan.json: its data have no key"
