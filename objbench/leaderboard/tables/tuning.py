"""The trials that chose the settings: what was tried for each objective and what came of it.

Every objective gets the same number of trials, on pretraining seeds and a score that no reported
number has. A trial that diverged or failed is a result and stands here too: with it, a setting has
no mean over the tuning seeds and is not chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import pandas as pd

from objbench.judge.formatting import (
    DASH,
    amount,
    count,
    duration,
    listed,
    loss,
    markdown,
    plain,
    points,
)
from objbench.judge.score_arrays import suite_average
from objbench.judge.spending import last_meters, trial_cells
from objbench.results.heldout_loss_names import own_loss
from objbench.results.plan import PlannedCell, PlannedSuite, tried_settings
from objbench.results.records import EvaluationRecord, TrialRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults

_SUM = "loss"
_ONE_SEED = "Chosen on one seed each: where luck decides early, the choice is luck too."


def tuning_sentence(results: StudyResults) -> str:
    """How the settings were chosen, in words; "" for a study that tried none."""
    tuning = results.plan.study.get("tuning")
    cells = trial_cells(results)
    if not isinstance(tuning, dict) or not cells:
        return ""
    own = [cell for cell in cells if cell.objective == cells[0].objective]
    seeds = list(dict.fromkeys(cell.seed for cell in own))
    score = _score(results)
    suite = _suite(results, score)
    by = (
        f"held-out {plain('weighted sum of losses' if score == _SUM else f'{score} loss')}, on "
        "text that no reported number is measured on"
        if suite is None
        else f"{plain(score)} on a split of its training examples"
    )
    budget = plain(tuning.get("budget") or results.plan.budget)
    told = (
        f"Before the seeds were run, every objective got {count(len(own), 'trial')} of {budget} "
        "(the baseline's, at equal spend)"
    )
    if len(seeds) == 1:
        return (
            f"{told} on pretraining seed {seeds[0]}, scored by {by}; the best gave each objective "
            f"its settings. {_ONE_SEED}"
        )
    return (
        f"{told}, {count(len(own) // len(seeds), 'setting')} on each of the pretraining seeds "
        f"{listed([str(seed) for seed in seeds])}, scored by {by}; the best mean over these seeds "
        "gave each objective its settings. A setting that diverged or failed on one of them has "
        "no mean and was not chosen; what was spent is summed over the seeds."
    )


def tuning_table(results: StudyResults) -> str:
    """One row a setting: its score over the tuning seeds, whether it was chosen, what it spent."""
    score = _score(results)
    suite = _suite(results, score)
    name = plain(score if suite is not None else f"held-out {score}")
    lines = []
    for objective in results.plan.objectives:
        for trials in tried_settings(trial_cells(results), objective.name):
            settings = trials[0].settings
            line = {"objective": objective.name}
            line |= {plain(place): plain(value) for place, value in settings.items()}
            if suite is None:
                found = [_loss_of(results, cell, score) for cell in trials]
                line |= _score_cells(name, found, loss)
            else:
                found = [_score_of(results, cell, suite) for cell in trials]
                line |= _score_cells(name, found, points)
            is_chosen = settings.items() <= objective.overrides.items()
            line["chosen"] = "yes" if is_chosen else ""
            lines.append(line | _spend_cells(results, trials))
    return markdown(pd.DataFrame(lines).fillna(DASH)) if lines else ""


def _score(results: StudyResults) -> str:
    """What the trials were chosen by: a term of the held-out loss, or a suite."""
    tuning = results.plan.study.get("tuning")
    return str(tuning.get("score", _SUM)) if isinstance(tuning, dict) else _SUM


def _suite(results: StudyResults, score: str) -> PlannedSuite | None:
    return next((suite for suite in results.suites if suite.name == score), None)


def _score_cells(
    name: str, found: Sequence[float | str], write: Callable[[float], str]
) -> dict[str, str]:
    """A setting's score; over several seeds its mean, its spread, and how many seeds have one.

    Args:
        found: of each tuning seed the score, or how the trial stands where it has none.
    """
    scored = [item for item in found if not isinstance(item, str)]
    lost = Counter(item for item in found if isinstance(item, str))
    if len(found) == 1:
        return {name: write(scored[0]) if scored else next(iter(lost))}
    every = len(found)
    return {
        f"{name}, mean": (
            ", ".join(f"{state} on {number} of {every} seeds" for state, number in lost.items())
            if lost
            else write(fmean(scored))
        ),
        "smallest": write(min(scored)) if scored else DASH,
        "largest": write(max(scored)) if scored else DASH,
        "seeds": f"{len(scored)} of {every}" if lost else str(every),
    }


def _spend_cells(results: StudyResults, trials: Sequence[PlannedCell]) -> dict[str, str]:
    """What was spent on a setting, over its seeds, as far as it was recorded."""
    records = [results.records.get(cell.id) for cell in trials]
    known = [last_meters(record) for record in records if isinstance(record, TrialRecord)]
    ends = [end for end in known if end is not None]
    if not ends:
        return dict.fromkeys(("steps", "FLOPs", "device time"), DASH)
    return {
        "steps": f"{sum(end.steps for end in ends):,}",
        "FLOPs": amount(sum(end.flops for end in ends)),
        "device time": duration(sum(end.seconds for end in ends)),
    }


def _loss_of(results: StudyResults, cell: PlannedCell, term: str) -> float | str:
    """A trial's loss at its end; how it stands where it has none."""
    record = results.records.get(cell.id)
    state = results.state(cell)
    if not isinstance(record, TrialRecord) or state != "ok" or not record.points:
        return state
    found = own_loss(record.points[-1].heldout, term)
    return DASH if found is None else found


def _score_of(results: StudyResults, cell: PlannedCell, suite: PlannedSuite) -> float | str:
    """The suite's score of a trial's encoder; how the trial stands where it is not whole."""
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
        return "not whole" if state == "ok" else state
    return score
