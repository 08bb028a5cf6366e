"""What the objectives of a study are, in a line each, for a reader who does not know their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.contract.composition import unlabelled
from objbench.judge.formatting import listed
from objbench.leaderboard.document import Block, Strong, bullets, shortened
from objbench.leaderboard.settings import assigned
from objbench.results.plan import Plan, PlannedObjective

MOST_LISTED = 16
"""More objectives are not listed: a reader who has to search finds them in the table of settings."""


def compared_blocks(plan: Plan) -> list[Block]:
    """The objectives as points of a list, in the order of the plan; nothing where there are many."""
    if len(plan.objectives) > MOST_LISTED:
        return []
    known: dict[str, PlannedObjective] = {}
    points = []
    for item in plan.objectives:
        like = known.setdefault(unlabelled(item.name), item)
        words = item.summary if like is item else _difference(item, like)
        points.append((Strong(item.name), f": {shortened(words)}"))
    return bullets(points)


def _difference(item: PlannedObjective, like: PlannedObjective) -> str:
    """How an objective differs from an earlier one of the same parts: by options, or else by settings."""
    for mine, others in (
        (_bare(item.options), _bare(like.options)),
        (item.overrides, like.overrides),
    ):
        changed = [name for name in sorted(mine) if others.get(name) != mine[name]]
        if changed:
            return f"{like.name} with {listed([assigned({name: mine[name]}) for name in changed])}"
    return f"{like.name}, again"


def _bare(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options without the name of their term, where all are of one: ``mlm.rate`` is ``rate``."""
    terms = {name.partition(".")[0] for name in options if "." in name}
    if len(terms) != 1 or not all("." in name for name in options):
        return options
    return {name.partition(".")[2]: value for name, value in options.items()}
