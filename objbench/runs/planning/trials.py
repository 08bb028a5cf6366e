"""Tuning: the trials of a study, and the settings that they choose.

A study may try settings before its seeds are run. Every objective gets the same number of trials,
of the same budget, on pretraining seeds that no reported run has, and is scored on what no
reported number is measured on: held-out text, or a split of a suite's training data. Each setting
is tried with every tuning seed, and each objective is given the one whose mean score over them is
best, the first of the grid where several are; what the trials spent stands in its row. A trial that
diverged or failed counts as infinitely bad, and so does the mean that it is part of: a setting
that cannot be relied on is chosen for no objective.

An objective that learns from others does so in its trials too: from the final encoder of the best
settings of each, with the same tuning seed. So trials come in rounds, those of teachers first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from objbench.contract.suite import Suite
from objbench.errors import ConfigError, UnknownNameError
from objbench.results.heldout_loss_names import own_loss
from objbench.results.plan import PlannedCell, tried_settings
from objbench.results.records import TrialEvaluationRecord, TrialRecord
from objbench.results.run_folder import read_record, record_path
from objbench.results.scores import column_scores
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.planned_cells import trial_cell, trial_evaluation_cells
from objbench.runs.planning.planner import planned_steps
from objbench.runs.planning.teachers import generations
from objbench.study.budget import StepCost
from objbench.study.study import Study


def trial_rounds(study: Study, plugins: ConfiguredPlugins) -> tuple[tuple[str, ...], ...]:
    """The objectives whose trials are run together, in their order; none if it does not tune.

    Raises:
        ConfigError: a setting of the grid does not exist or is out of range, or an objective
            learns from one that is not there to learn from.
    """
    tuning = study.tuning
    if tuning is None:
        return ()
    teachers: dict[str, tuple[str, ...]] = {}
    for name, (kind, _) in plugins.objectives.items():
        # Who teaches is an option, so it may be tried too.
        tried = [plugins.config(study.of(name, own), name) for own in tuning.trials(name)]
        wanted = (teacher for config in tried for teacher in kind.teachers(config))
        teachers[name] = tuple(dict.fromkeys(wanted))
    return generations(plugins, teachers)


def trial_cells(
    study: Study,
    plugins: ConfiguredPlugins,
    names: Sequence[str],
    best: Mapping[str, Mapping[int, PlannedCell]],
    data: Mapping[str, Any],
    costs: Mapping[str, StepCost],
    devices: int,
) -> Iterator[PlannedCell]:
    """The trials of some objectives of a study, seed by seed, those of all of them side by side.

    Args:
        study: one that tunes.
        names: one of ``trial_rounds``.
        best: as from ``best_trials``, of the rounds before.
        data, costs, devices: as for ``planner.make_plan``; the costs are those before tuning.

    Raises:
        BudgetError: the trials' budget does not pay for one step.
        ConfigError: a setting of the grid does not exist or is out of range.
    """
    tuning = study.tuning
    assert tuning is not None
    steps = planned_steps(study, tuning.budget or study.budget, costs, devices)
    grids = {name: tuning.trials(name) for name in names}
    cells = [
        trial_cell(study, plugins, name, number, seed, grid[number], steps[name], data, best)
        for seed in tuning.seeds
        for number in range(len(grids[names[0]]))
        for name, grid in grids.items()
    ]
    yield from cells
    for cell in cells:
        yield from trial_evaluation_cells(study, plugins, cell)


def tuned(
    study: Study, plugins: ConfiguredPlugins, cells: Sequence[PlannedCell], run: Path
) -> Study:
    """The study with each objective's settings as its best trials had them.

    Args:
        cells: the trials and their evaluations, all of them finished.
        run: the run folder that holds their records.

    Raises:
        ConfigError, UnknownNameError, RecordError: as ``best_trials``.
    """
    if study.tuning is None:
        return study
    overrides = dict(study.overrides)
    for name, best in best_trials(study, plugins, cells, run).items():
        for trial in best.values():
            overrides[name] = {**overrides.get(name, {}), **trial.settings}
    return study.model_copy(update={"overrides": overrides})


def best_trials(
    study: Study, plugins: ConfiguredPlugins, cells: Sequence[PlannedCell], run: Path
) -> dict[str, dict[int, PlannedCell]]:
    """The trials of the best settings of each objective that ``cells`` holds trials of.

    Args:
        study: one that tunes.
        cells: trials and their evaluations, all of them finished.
        run: the run folder that holds their records.

    Returns:
        Objective -> tuning seed -> the trial with that seed.

    Raises:
        ConfigError: every setting of an objective failed or diverged on one of the seeds.
        UnknownNameError: the score is neither a suite nor a held-out loss of an objective.
        RecordError: a record cannot be read.
    """
    assert study.tuning is not None
    suite = plugins.suites.get(study.tuning.score)
    scoring = [cell for cell in cells if cell.kind == "trial_evaluation"]
    found = {}
    for name in dict.fromkeys(cell.objective for cell in cells if cell.kind == "trial"):
        tried = tried_settings(cells, name)
        means = [
            fmean(
                _loss(study.tuning.score, run, cell)
                if suite is None
                else _shortfall(suite, run, [c for c in scoring if cell.id in c.needs])
                for cell in trials
            )
            for trials in tried
        ]
        best = min(range(len(tried)), key=means.__getitem__)
        if not math.isfinite(means[best]):
            if suite is None:
                _require_known(study.tuning.score, run, [cell for row in tried for cell in row])
            one = "" if len(study.tuning.seeds) == 1 else " on one of the tuning seeds"
            raise ConfigError(
                f"tuning: every setting of {name} failed or diverged{one}; widen its grid, "
                f"or delete their records in {run / 'records' / 'trial'} to run them again"
            )
        found[name] = {cell.seed: cell for cell in tried[best]}
    return found


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


def _heldout(run: Path, cell: PlannedCell) -> Mapping[str, float]:
    """The trial's held-out losses at its end; none if it did not get there."""
    path = record_path(run, cell.kind, cell.id, cell.key)
    record = read_record(path) if path.is_file() else None
    if not isinstance(record, TrialRecord) or record.status != "ok":
        return {}
    return record.points[-1].heldout


def _loss(term: str, run: Path, cell: PlannedCell) -> float:
    """The trial's held-out loss; infinite if it has none, as where the term never has items."""
    loss = own_loss(_heldout(run, cell), term)
    return math.inf if loss is None else loss


def _require_known(term: str, run: Path, cells: Sequence[PlannedCell]) -> None:
    """Refuse a term that no finished trial of an objective has."""
    known = {name: loss for cell in cells for name, loss in _heldout(run, cell).items()}
    if known and own_loss(known, term) is None:
        raise UnknownNameError(f"tuning.score for {cells[0].objective}", term, known)
