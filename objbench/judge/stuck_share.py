"""How many runs of an objective are stuck: said beside every verdict, which is on those that learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.formatting import count, listed
from objbench.judge.learning import learning
from objbench.judge.statistics.proportions import Share, share
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class StuckShare:
    """How many finished runs of an objective are stuck.

    Attributes:
        stuck: of the runs of which it is known whether they learnt, with its exact two-sided 95%
            interval (Clopper-Pearson); None where it is known of none.
        unknown: number of runs of which it is not known.
    """

    objective: str
    stuck: Share | None
    unknown: int


def stuck_share(results: StudyResults, objective: str) -> StuckShare:
    """How many finished runs of ``objective`` are stuck."""
    runs = learning(results, objective).values()
    known = np.array([run.status == "stuck" for run in runs if run.status != "unknown"], bool)
    return StuckShare(objective, share(known) if known.size else None, len(runs) - known.size)


def stuck_text(shares: tuple[StuckShare, ...]) -> str:
    """The shares with their intervals, such as "mlm 4 of 5 [28%, 99%] and taco 0 of 5 [0%, 52%]".

    "" where nothing is known of any.
    """
    parts = []
    for item in shares:
        if item.stuck is None:
            continue
        ends = f"[{item.stuck.low:.0%}, {item.stuck.high:.0%}]"
        unknown = f" and {count(item.unknown, 'run')} unknown" if item.unknown else ""
        parts.append(f"{item.objective} {item.stuck.number} of {item.stuck.runs} {ends}{unknown}")
    return listed(parts)
