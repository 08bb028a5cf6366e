"""Which objectives of a study a claim is about: by name, and by options where it names some.

A claim about 40% of masks against 15% has the same plugin on both sides, so each side names its
options, and the study's objective is the one that has them. Options that a claim does not name may
be anything: that they differ from the paper's is for whoever reads the study's settings.
"""

from __future__ import annotations

from typing import Any

from objbench.contract.composition import is_composed, unlabelled
from objbench.judge.papers.claims import ClaimFile, Options
from objbench.results.plan import Plan, PlannedObjective


def as_planned(plan: Plan, file: ClaimFile) -> ClaimFile | None:
    """``file`` with the names that its sides have in the study; None where it lacks one."""
    objective = _planned(plan, file.objective, file.objective_options)
    baseline = _planned(plan, file.baseline, file.baseline_options)
    if objective is None or baseline is None or objective == baseline:
        return None
    return file.model_copy(update={"objective": objective, "baseline": baseline})


def _planned(plan: Plan, name: str, options: Options) -> str | None:
    """The objective of the study that is called ``name`` and has the options, if any.

    Where the claim names options the study's may have a label, as in "mlm@40"; the one without
    comes first.
    """
    found = [
        item.name
        for item in plan.objectives
        if name in (item.name, unlabelled(item.name) if options else item.name)
        and _has(item, options)
    ]
    return min(found, key=lambda own: own != name, default=None)


def _has(item: PlannedObjective, options: Options) -> bool:
    return all(
        _is(_option(item, plugin, option), value)
        for plugin, own in options.items()
        for option, value in own.items()
    )


def _option(item: PlannedObjective, plugin: str, option: str) -> Any:
    """An option as planned; those of a composition are stored as PLUGIN.OPTION."""
    return item.options.get(f"{plugin}.{option}" if is_composed(item.name) else option)


def _is(planned: Any, claimed: bool | float | str) -> bool:
    if planned is None or claimed == "none":
        return planned is None and claimed == "none"
    same_kind = isinstance(planned, bool) == isinstance(claimed, bool)
    return same_kind and bool(planned == claimed)
