"""The trials that chose the settings: what was tried for each objective and what came of it.

Every objective gets the same number of trials, on pretraining seeds and a score that no reported
number uses. A trial that diverged or failed is a result too: with it, a setting has no mean over
the tuning seeds and is not chosen. Nor is one that is stuck on a seed where another one learnt on all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from objbench.judge.learning import RunStatus
from objbench.judge.score_arrays import suite_average
from objbench.judge.spending import last_meters
from objbench.judge.trial_learning import trial_status
from objbench.results.heldout_loss_names import own_loss, point_losses
from objbench.results.plan import PlannedCell, PlannedSuite, tried_settings
from objbench.results.records import EvaluationRecord, TrialRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults
from objbench.results.training_points import Meters

SUM = "loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedSetting:
    """One setting of one objective.

    Attributes:
        found: of each tuning seed the score, or the state of the trial where it has none.
        statuses: of each tuning seed whether the trial learnt.
        is_chosen: whether it gave the objective its settings.
        ends: what was spent on it, of each trial for which that was recorded.
    """

    objective: str
    settings: Mapping[str, Any]
    found: tuple[float | str, ...]
    statuses: tuple[RunStatus, ...]
    is_chosen: bool
    ends: tuple[Meters, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How the settings of a study were chosen.

    Attributes:
        score: what chose: a term of the held-out loss, or a suite.
        is_loss: whether it is a loss.
        trials: per objective.
        budget: of a trial, for the baseline.
        seeds: the tuning seeds.
        tried: by objective, in the order of the plan.
    """

    score: str
    is_loss: bool
    trials: int
    budget: str
    seeds: tuple[int, ...]
    tried: tuple[TriedSetting, ...]

    @property
    def knows_learning(self) -> bool:
        """Whether it is known of any trial if it learnt."""
        return any(status != "unknown" for tried in self.tried for status in tried.statuses)


def study_tuning(results: StudyResults) -> Tuning | None:
    """The tuning of the study; None where nothing was tried."""
    settings, cells = results.plan.asked.tuning, results.trials()
    if settings is None or not cells:
        return None
    score = settings.score
    suite = next((suite for suite in results.suites if suite.name == score), None)
    own = [cell for cell in cells if cell.objective == cells[0].objective]
    return Tuning(
        score=score,
        is_loss=suite is None,
        trials=len(own),
        budget=settings.budget or results.plan.budget,
        seeds=tuple(dict.fromkeys(cell.seed for cell in own)),
        tried=tuple(
            TriedSetting(
                objective=objective.name,
                settings=trials[0].settings,
                found=tuple(
                    _loss(results, cell, score) if suite is None else _score(results, cell, suite)
                    for cell in trials
                ),
                statuses=tuple(
                    trial_status(results.records.get(cell.id), results.lines) for cell in trials
                ),
                is_chosen=trials[0].settings.items() <= objective.overrides.items(),
                ends=_ends(results, trials),
            )
            for objective in results.plan.objectives
            for trials in tried_settings(cells, objective.name)
        ),
    )


def _ends(results: StudyResults, trials: tuple[PlannedCell, ...]) -> tuple[Meters, ...]:
    records = [results.records.get(cell.id) for cell in trials]
    known = [last_meters(record) for record in records if isinstance(record, TrialRecord)]
    return tuple(end for end in known if end is not None)


def _loss(results: StudyResults, cell: PlannedCell, term: str) -> float | str:
    """A trial's loss at its end, or its state where it has none."""
    record = results.records.get(cell.id)
    state = results.state(cell)
    if not isinstance(record, TrialRecord) or state != "ok" or not record.points:
        return state
    found = own_loss(point_losses(record.points[-1]), term)
    return "no such loss" if found is None else found


def _score(results: StudyResults, cell: PlannedCell, suite: PlannedSuite) -> float | str:
    """The suite's score of a trial's encoder, or the trial's state where it is incomplete."""
    columns = np.full(len(suite.columns), np.nan)
    for scoring in results.plan.cells:
        record = results.records.get(scoring.id)
        if cell.id not in scoring.needs or scoring.kind != "trial_evaluation":
            continue
        if not isinstance(record, EvaluationRecord) or record.status != "ok":
            continue
        for number, column in enumerate(suite.columns):
            if column.task == scoring.task:
                columns[number] = column_value(record, column)
    score = float(suite_average(suite, columns))
    if np.isnan(score):
        state = results.state(cell)
        return "incomplete" if state == "ok" else state
    return score
