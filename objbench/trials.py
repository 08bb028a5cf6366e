"""Tuning: the trials of a study, and the settings that they choose.

A study may try settings before its seeds are run. Every objective gets the same number of trials,
of the same budget, on one pretraining seed that no reported run has, and is scored on held-out
text that no reported number is measured on. The best trial of each objective gives it its
settings; what the trials spent stands in its row. Diverged trials count, as the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from objbench.budget import StepCost
from objbench.cast import Cast
from objbench.errors import ConfigError, UnknownNameError
from objbench.plan import PlannedCell
from objbench.planned_cells import trial_cell
from objbench.planner import planned_steps
from objbench.records import TrialRecord, read_record, record_path
from objbench.study import Study


def trial_cells(
    study: Study, cast: Cast, data: Mapping[str, Any], costs: Mapping[str, StepCost], devices: int
) -> Iterator[PlannedCell]:
    """The trials of a study, those of all objectives side by side; none if it does not tune.

    Args:
        data, costs, devices: as for ``planner.make_plan``; the costs are those before tuning.

    Raises:
        BudgetError: the trials' budget does not pay for one step.
        ConfigError: a setting of the grid does not exist or is out of range.
    """
    tuning = study.tuning
    if tuning is None:
        return
    steps = planned_steps(study, tuning.budget or study.budget, costs, devices)
    grids = {name: tuning.trials(name) for name in study.objectives}
    for number in range(len(grids[study.objectives[0]])):
        for name, grid in grids.items():
            yield trial_cell(study, cast, name, number, grid[number], steps[name], data)


def tuned(study: Study, cells: list[PlannedCell], run: Path) -> Study:
    """The study with each objective's settings as its best trial had them.

    Args:
        cells: the trials, all of them finished.
        run: the run folder that holds their records.

    Raises:
        ConfigError: every trial of an objective failed or diverged.
        UnknownNameError: the score is no held-out loss of an objective.
        RecordError: a record cannot be read.
    """
    if study.tuning is None:
        return study
    overrides = dict(study.overrides)
    for name in study.objectives:
        own = [cell for cell in cells if cell.objective == name]
        scores = [_score(study.tuning.score, run, cell) for cell in own]
        best = min(range(len(own)), key=scores.__getitem__)
        if not math.isfinite(scores[best]):
            raise ConfigError(
                f"tuning: every trial of {name} failed or diverged; widen its grid, "
                f"or delete their records in {run / 'records' / 'trial'} to run them again"
            )
        overrides[name] = {**overrides.get(name, {}), **own[best].settings}
    return study.model_copy(update={"overrides": overrides})


def _score(term: str, run: Path, cell: PlannedCell) -> float:
    """The trial's held-out loss at its end; infinite if it did not get there."""
    path = record_path(run, cell.kind, cell.id, cell.key)
    record = read_record(path) if path.is_file() else None
    if not isinstance(record, TrialRecord) or record.status != "ok":
        return math.inf
    heldout = record.points[-1].heldout
    if term not in heldout:
        raise UnknownNameError(f"tuning.score for {cell.objective}", term, heldout)
    return heldout[term]
