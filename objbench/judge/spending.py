"""What an objective took: its pretraining runs, their cooldown branches, and its tuning trials.

The schedule "trunk" finishes every point of the curve by a branch of its own. What branches cost
beyond the last model is the price of measuring the curve; it is not part of the objective's spend.
Trials chose the settings: they are part of the objective's price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.results.records import PretrainRecord, TrialRecord
from objbench.results.study_results import StudyResults
from objbench.results.training_points import Meters


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one objective took.

    Attributes:
        runs: what each finished pretraining had spent at its end.
        branch_steps, branch_seconds: spent on cooldown branches, as the mean over those runs.
        trials: how many are planned.
        trial_runs: the last known spend of each trial that was started, also of diverged ones.
    """

    runs: tuple[Meters, ...]
    branch_steps: float
    branch_seconds: float
    trials: int
    trial_runs: tuple[Meters, ...]


def spent(results: StudyResults, objective: str) -> Spent:
    """What ``objective`` took in this study."""
    records = results.pretrained(objective)
    costs = [record.cost for record in records if record.cost is not None]
    trials = results.trials(objective)
    tried = [results.records.get(cell.id) for cell in trials]
    ends = [last_meters(record) for record in tried if isinstance(record, TrialRecord)]
    return Spent(
        runs=tuple(record.points[-1].meters for record in records if record.points),
        branch_steps=float(np.mean([cost.branch_steps for cost in costs])) if costs else 0.0,
        branch_seconds=float(np.mean([cost.branch_seconds for cost in costs])) if costs else 0.0,
        trials=len(trials),
        trial_runs=tuple(end for end in ends if end is not None),
    )


def last_meters(record: PretrainRecord) -> Meters | None:
    """The last spend that a run recorded."""
    if record.reached is not None:
        return record.reached
    # Records from before that was kept have their log with them.
    found = record.points[-1:] or record.logged[-1:]
    return found[0].meters if found else None
