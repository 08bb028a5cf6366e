"""What the runs of one seed have in common, and what settings of their own make differ.

At one seed every objective starts from the same initial weights and reads the same documents with
the same masks, unless settings that were tuned or given for it change that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.judge.formatting import listed, named
from objbench.judge.shared_corruption import masking
from objbench.results.plan import Plan, PlannedObjective

_ENCODER = "encoder."
# Settings that decide which documents a step reads.
_READING = ("data.", "training.batch")


def encoder_differences(plan: Plan) -> tuple[str, ...]:
    """The settings of the encoder, by their dotted place, in which objectives differ."""
    names = sorted(
        {key for o in plan.objectives for key in o.overrides if key.startswith(_ENCODER)}
    )
    return tuple(name for name in names if len(_by_value(plan, name)) > 1)


def shared_words(plan: Plan) -> str:
    """What the runs of one seed have in common, such as "initial weights, documents and masks"."""
    found = [] if encoder_differences(plan) else ["initial weights"]
    keys = {key for o in plan.objectives for key in o.overrides if key.startswith(_READING)}
    if all(len(_by_value(plan, key)) == 1 for key in keys):
        found.append("documents")
        masks = [masking(o.options, "mlm") for o in plan.objectives]
        if all(own == masks[0] for own in masks):
            found.append("masks")
    return listed(found)


def start_sentence(plan: Plan) -> str:
    """How the objectives' encoders differ at the start; "" where they do not.

    Such as "Same seeds, documents and masks; initial weights differ: tuned initializer_range 0.06
    (mlm), 0.02 (taco), so this is not an objective-only comparison."
    """
    names = encoder_differences(plan)
    if not names:
        return ""
    shared = shared_words(plan)
    same = listed(["seeds", *shared.replace(" and ", ", ").split(", ")] if shared else ["seeds"])
    is_scale = all(name.endswith(".initializer_range") for name in names)
    what = "initial weights differ" if is_scale else "encoder settings differ"
    values = "; ".join(_values(plan, name) for name in names)
    return f"Same {same}; {what}: {values}, so this is not an objective-only comparison."


def _values(plan: Plan, name: str) -> str:
    how = "tuned " if name in _tried(plan) else ""
    values = [f"{value} ({named(who)})" for value, who in _by_value(plan, name).items()]
    return f"{how}{name.rpartition('.')[2]} {', '.join(values)}"


def _tried(plan: Plan) -> set[str]:
    """The settings that the study's trials tried, by their dotted place."""
    tuning = plan.asked.tuning
    if tuning is None:
        return set()
    return {place for grid in (tuning.grid, *tuning.objectives.values()) for place in grid}


def _by_value(plan: Plan, name: str) -> dict[str, list[str]]:
    """Value -> the objectives that have it, in the order of the plan."""
    found: dict[str, list[str]] = {}
    for item in plan.objectives:
        found.setdefault(_value(plan, item, name), []).append(item.name)
    return found


def _value(plan: Plan, item: PlannedObjective, name: str) -> str:
    if name in item.overrides:
        return str(item.overrides[name])
    tree: Any = plan.study
    for part in name.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return "default" if tree is None else str(tree)
