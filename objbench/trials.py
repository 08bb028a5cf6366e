"""Tuning: the trials of a study, and the settings that they choose.

A study may try settings before its seeds are run. Every objective gets the same number of trials,
of the same budget, on one pretraining seed that no reported run has, and is scored on what no
reported number is measured on: held-out text, or a split of a suite's training data. The best
trial of each objective gives it its settings; what the trials spent stands in its row. Diverged
trials count, as the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from objbench.budget import StepCost
from objbench.cast import Cast
from objbench.errors import ConfigError, UnknownNameError
from objbench.plan import PlannedCell
from objbench.planned_cells import trial_cell, trial_evaluation_cells
from objbench.planner import planned_steps
from objbench.records import (
    TrialEvaluationRecord,
    TrialRecord,
    read_record,
    record_path,
)
from objbench.scores import column_scores
from objbench.study import Study
from objbench.suite import Suite


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
    cells = [
        trial_cell(study, cast, name, number, grid[number], steps[name], data)
        for number in range(len(grids[study.objectives[0]]))
        for name, grid in grids.items()
    ]
    yield from cells
    for cell in cells:
        yield from trial_evaluation_cells(study, cast, cell)


def tuned(study: Study, cast: Cast, cells: Sequence[PlannedCell], run: Path) -> Study:
    """The study with each objective's settings as its best trial had them.

    Args:
        cells: the trials and their evaluations, all of them finished.
        run: the run folder that holds their records.

    Raises:
        ConfigError: every trial of an objective failed or diverged.
        UnknownNameError: the score is neither a suite nor a held-out loss of an objective.
        RecordError: a record cannot be read.
    """
    if study.tuning is None:
        return study
    overrides = dict(study.overrides)
    for name in study.objectives:
        own = [cell for cell in cells if (cell.objective, cell.kind) == (name, "trial")]
        suite = cast.suites.get(study.tuning.score)
        scores = [
            _loss(study.tuning.score, run, cell)
            if suite is None
            else _shortfall(suite, run, [c for c in cells if cell.id in c.needs])
            for cell in own
        ]
        best = min(range(len(own)), key=scores.__getitem__)
        if not math.isfinite(scores[best]):
            raise ConfigError(
                f"tuning: every trial of {name} failed or diverged; widen its grid, "
                f"or delete their records in {run / 'records' / 'trial'} to run them again"
            )
        overrides[name] = {**overrides.get(name, {}), **own[best].settings}
    return study.model_copy(update={"overrides": overrides})


def _shortfall(suite: Suite, run: Path, cells: Sequence[PlannedCell]) -> float:
    """The suite's score of one trial, turned so that less is better; infinite if it lacks some."""
    scores: dict[str, float] = {}
    for cell in cells:
        path = record_path(run, cell.kind, cell.id, cell.key)
        record = read_record(path) if path.is_file() else None
        if isinstance(record, TrialEvaluationRecord) and record.status == "ok":
            scores.update(column_scores(suite.columns(), [record]))
    average = suite.average()
    score = average.score(scores)
    if score is None:
        return math.inf
    return -score if average.direction == "max" else score


def _loss(term: str, run: Path, cell: PlannedCell) -> float:
    """The trial's held-out loss at its end; infinite if it did not get there."""
    path = record_path(run, cell.kind, cell.id, cell.key)
    record = read_record(path) if path.is_file() else None
    if not isinstance(record, TrialRecord) or record.status != "ok":
        return math.inf
    heldout = record.points[-1].heldout
    if term not in heldout:
        raise UnknownNameError(f"tuning.score for {cell.objective}", term, heldout)
    return heldout[term]
