"""The trials that chose the settings: what was tried for each objective and what came of it.

Every objective gets the same number of trials, on a pretraining seed and a score that no reported
number has. A trial that diverged or failed is a result and stands here too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from objbench.board.notation import DASH, amount, count, duration, loss, markdown, plain, points
from objbench.board.spent import last_meters, trial_cells
from objbench.plan import PlannedCell, PlannedSuite
from objbench.records import EvaluationRecord, TrialRecord
from objbench.score_arrays import column_value, suite_average
from objbench.standing import Standing

_SUM = "loss"


def tuning_sentence(standing: Standing) -> str:
    """How the settings were chosen, in words; "" for a study that tried none."""
    tuning = standing.plan.study.get("tuning")
    cells = trial_cells(standing)
    if not isinstance(tuning, dict) or not cells:
        return ""
    number = count(sum(cell.objective == cells[0].objective for cell in cells), "trial")
    score = _score(standing)
    suite = _suite(standing, score)
    by = (
        f"held-out {plain('weighted sum of losses' if score == _SUM else f'{score} loss')}, on "
        "text that no reported number is measured on"
        if suite is None
        else f"{plain(score)} on a split of its training examples"
    )
    budget = plain(tuning.get("budget") or standing.plan.budget)
    return (
        f"Before the seeds were run, every objective got {number} of {budget} (the baseline's, at "
        f"equal spend) on pretraining seed {cells[0].seed}, scored by {by}; the best gave each "
        "objective its settings."
    )


def tuning_table(standing: Standing) -> str:
    """One row a trial: its settings, its score, whether it was chosen, and what it spent."""
    score = _score(standing)
    suite = _suite(standing, score)
    lines = []
    for objective in standing.plan.objectives:
        for cell in trial_cells(standing):
            if cell.objective != objective.name:
                continue
            record = standing.records.get(cell.id)
            end = last_meters(record) if isinstance(record, TrialRecord) else None
            line = {"objective": objective.name}
            line |= {plain(place): plain(value) for place, value in cell.settings.items()}
            line[plain(score if suite is not None else f"held-out {score}")] = (
                _loss_text(standing, cell, score)
                if suite is None
                else _suite_text(standing, cell, suite)
            )
            is_chosen = cell.settings.items() <= objective.overrides.items()
            line["chosen"] = "yes" if is_chosen else ""
            line["steps"] = DASH if end is None else f"{end.steps:,}"
            line["FLOPs"] = DASH if end is None else amount(end.flops)
            line["device time"] = DASH if end is None else duration(end.seconds)
            lines.append(line)
    return markdown(pd.DataFrame(lines).fillna(DASH)) if lines else ""


def _score(standing: Standing) -> str:
    """What the trials were chosen by: a term of the held-out loss, or a suite."""
    tuning = standing.plan.study.get("tuning")
    return str(tuning.get("score", _SUM)) if isinstance(tuning, dict) else _SUM


def _suite(standing: Standing, score: str) -> PlannedSuite | None:
    return next((suite for suite in standing.suites if suite.name == score), None)


def _loss_text(standing: Standing, cell: PlannedCell, term: str) -> str:
    """A trial's loss at its end; how it stands where it has none."""
    record = standing.records.get(cell.id)
    state = standing.state(cell)
    if not isinstance(record, TrialRecord) or state != "ok" or not record.points:
        return state
    value = record.points[-1].heldout.get(term)
    return DASH if value is None else loss(value)


def _suite_text(standing: Standing, cell: PlannedCell, suite: PlannedSuite) -> str:
    """The suite's score of a trial's encoder; how the trial stands where it is not whole."""
    columns = np.full(len(suite.columns), np.nan)
    for scoring in standing.plan.cells:
        record = standing.records.get(scoring.id)
        if cell.id not in scoring.needs or scoring.kind != "trial_evaluation":
            continue
        if not isinstance(record, EvaluationRecord) or record.status != "ok":
            continue
        for number, column in enumerate(suite.columns):
            if column.task == scoring.task:
                columns[number] = column_value(record, column)
    score = float(suite_average(suite, columns))
    if np.isnan(score):
        state = standing.state(cell)
        return "not whole" if state == "ok" else state
    return points(score)
