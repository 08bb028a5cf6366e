"""Tuning: the trials of a study, and the settings that they choose.

A study may try settings before its seeds are run. Every objective gets the same number of trials,
with the same budget, on pretraining seeds that no reported run has. Trials are scored on what no
reported number is measured on: held-out text, or a split of a suite's training data. Each setting
is tried with every tuning seed, and each objective gets the setting with the best mean score over
them, the first in the grid where several are equal. What the trials spent is shown in its row. A
trial that diverged or failed counts as infinitely bad, and so does the mean that it is part of: a
setting that cannot be relied on is chosen for no objective. Neither is one that is stuck on a seed
(see ``judge.learning``) where another one learnt on all of them. Where none did, the best mean
chooses nevertheless, and that is said.

An objective that learns from others does so in its trials too: from the final encoder of the best
settings of each, with the same tuning seed. So trials come in rounds, those of teachers first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from objbench.contract.suite import Suite
from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.learning import RunStatus
from objbench.judge.trial_learning import (
    setting_status,
    trial_status,
    without_reliable_setting,
)
from objbench.results.heldout_loss_names import own_loss, point_losses
from objbench.results.plan import PlannedCell, tried_settings
from objbench.results.records import TrialEvaluationRecord, TrialRecord
from objbench.results.run_folder import RunFolder
from objbench.results.scores import column_scores
from objbench.results.step_cost import StepCost
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.evaluation_cells import trial_evaluation_cells
from objbench.runs.planning.planner import planned_steps
from objbench.runs.planning.pretraining_cells import trial_cell
from objbench.runs.planning.teachers import generations
from objbench.study.study import Study
from objbench.study.tuning import TuningSection


@dataclass(frozen=True, slots=True)
class Tuner:
    """The tuning of one study.

    Attributes:
        study: the study as given, with no settings chosen yet.
        tuning: what to try, and what to choose by.
        plugins: the study's plugins.
        folder: the run folder, which holds the records of the trials.
    """

    study: Study
    tuning: TuningSection
    plugins: ConfiguredPlugins
    folder: RunFolder

    def rounds(self) -> tuple[tuple[str, ...], ...]:
        """The objectives whose trials are run together, in their order.

        Raises:
            ConfigError: a setting of the grid does not exist or is out of range, or an objective
                learns from one that is not there to learn from.
        """
        teachers: dict[str, tuple[str, ...]] = {}
        for name, (kind, _) in self.plugins.objectives.items():
            # Who teaches is an option, so it may be tried too.
            tried = [
                self.plugins.config(self.study.for_objective(name, own), name)
                for own in self.tuning.trials(name)
            ]
            wanted = (teacher for config in tried for teacher in kind.teachers(config))
            teachers[name] = tuple(dict.fromkeys(wanted))
        return generations(self.plugins, teachers)

    def cells(
        self,
        names: Sequence[str],
        best: Mapping[str, Mapping[int, PlannedCell]],
        data: Mapping[str, Any],
        costs: Mapping[str, StepCost],
        devices: int,
    ) -> Iterator[PlannedCell]:
        """The trials of some objectives, seed by seed, those of all of them side by side.

        Args:
            names: one of ``rounds``.
            best: as from ``best``, of the rounds before.
            data, costs, devices: as for ``planner.make_plan``; the costs are those before tuning.

        Raises:
            BudgetError: the trials' budget does not pay for one step.
            ConfigError: a setting of the grid does not exist or is out of range, or nothing can
                be chosen by the score.
        """
        study, tuning = self.study, self.tuning
        steps = planned_steps(study, tuning.budget or study.budget, costs, devices)
        grids = {name: tuning.trials(name) for name in names}
        cells = [
            trial_cell(
                study,
                self.plugins,
                objective=name,
                cell_id=tuning.trial_id(name, number, seed),
                seed=seed,
                settings=grid[number],
                steps=steps[name],
                data=data,
                best=best,
            )
            for seed in tuning.seeds
            for number in range(len(grids[names[0]]))
            for name, grid in grids.items()
        ]
        yield from cells
        if self._suite is not None:
            for cell in cells:
                yield from trial_evaluation_cells(study, self._suite, cell)

    def tuned(self, cells: Sequence[PlannedCell], faulty: Collection[str] = ()) -> Study:
        """The study with each objective's settings as its best trials had them.

        An objective whose trials cannot be run keeps those that it has.

        Args:
            cells: the trials and their evaluations, all of them finished or out of reach.
            faulty: as for ``best``.

        Raises:
            ConfigError, UnknownNameError, RecordError: as ``best``.
        """
        overrides = dict(self.study.overrides)
        out_of_reach = cells_out_of_reach(cells, faulty)
        for name, best in self.best(cells, faulty).items():
            for trial in best.values():
                if trial.id not in out_of_reach:
                    overrides[name] = {**overrides.get(name, {}), **trial.settings}
        return self.study.model_copy(update={"overrides": overrides})

    def best(
        self, cells: Sequence[PlannedCell], faulty: Collection[str] = ()
    ) -> dict[str, dict[int, PlannedCell]]:
        """The trials of the best settings of each objective that ``cells`` holds trials of.

        Args:
            cells: trials and their evaluations, all of them finished or out of reach.
            faulty: the objectives of which no step can be taken, and so no trial. Those of
                objectives that learn from them are out of reach as well.

        Returns:
            Objective -> tuning seed -> the trial with that seed; the first where none can be run.

        Raises:
            ConfigError: every setting of an objective failed or diverged on one of the seeds.
            UnknownNameError: the score is neither a suite nor a held-out loss of an objective.
            RecordError: a record cannot be read.
        """
        scoring = [cell for cell in cells if cell.kind == "trial_evaluation"]
        out_of_reach = cells_out_of_reach(cells, faulty)
        lines = self.folder.read_reference_lines()
        found = {}
        for name in dict.fromkeys(cell.objective for cell in cells if cell.kind == "trial"):
            tried = tried_settings(cells, name)
            means = [fmean(self._badness(cell, scoring) for cell in trials) for trials in tried]
            statuses = [
                setting_status(trial_status(self.folder.read_record(c), lines) for c in trials)
                for trials in tried
            ]
            place = _best_place(means, statuses)
            can_be_run = any(out_of_reach.isdisjoint(cell.id for cell in row) for row in tried)
            if can_be_run and not math.isfinite(means[place]):
                raise self._nothing_to_choose(name, [cell for row in tried for cell in row])
            found[name] = {cell.seed: cell for cell in tried[place]}
        return found

    def without_reliable_setting(self, cells: Sequence[PlannedCell]) -> tuple[str, ...]:
        """The objectives of which no setting learnt on all of its tuning seeds, and some are stuck.

        Args:
            cells: as for ``best``.

        Raises:
            RecordError: a record cannot be read.
        """
        lines = self.folder.read_reference_lines()
        return without_reliable_setting(cells, self.folder.read_record, lines)

    @property
    def _suite(self) -> Suite | None:
        """The suite to choose by; None where it is a held-out loss."""
        return self.plugins.suites.get(self.tuning.score)

    def _badness(self, trial: PlannedCell, scoring: Sequence[PlannedCell]) -> float:
        """The score of one trial, turned so that less is better; infinite where it has none."""
        if self._suite is None:
            loss = own_loss(self._heldout(trial), self.tuning.score)
            return math.inf if loss is None else loss
        scores: dict[str, float] = {}
        for cell in scoring:
            if trial.id in cell.needs:
                record = self.folder.read_record(cell)
                if isinstance(record, TrialEvaluationRecord) and record.status == "ok":
                    scores.update(column_scores(self._suite.columns(), [record]))
        average = self._suite.average()
        score = average.score(scores)
        if score is None:
            return math.inf
        return -score if average.direction == "max" else score

    def _heldout(self, trial: PlannedCell) -> Mapping[str, float]:
        """The trial's held-out losses at its end; none if it did not get there."""
        record = self.folder.read_record(trial)
        if not isinstance(record, TrialRecord) or record.status != "ok":
            return {}
        return point_losses(record.points[-1])

    def _nothing_to_choose(self, objective: str, trials: Sequence[PlannedCell]) -> Exception:
        """Why no setting of an objective has a score."""
        if self._suite is None:
            known = {name: loss for cell in trials for name, loss in self._heldout(cell).items()}
            if known and own_loss(known, self.tuning.score) is None:
                return UnknownNameError(
                    "tuning.score", self.tuning.score, known, where=f"for {objective}"
                )
        one = "" if len(self.tuning.seeds) == 1 else " on one of the tuning seeds"
        return ConfigError(
            f"tuning: every setting of {objective} failed or diverged{one}; widen its grid, "
            f"or delete their records in {self.folder.where_records('trial')} to run them again"
        )


def _best_place(means: Sequence[float], statuses: Sequence[RunStatus]) -> int:
    """The place of the smallest mean; not of a stuck setting where one learnt on all of its seeds."""
    pairs = list(zip(means, statuses, strict=True))
    is_choice = any(status == "learnt" and math.isfinite(mean) for mean, status in pairs)
    places = [n for n, status in enumerate(statuses) if not (is_choice and status == "stuck")]
    return min(places, key=means.__getitem__)


def cells_out_of_reach(cells: Sequence[PlannedCell], faulty: Collection[str]) -> set[str]:
    """The ids of the cells of ``faulty`` objectives, and of all that need one of these.

    Args:
        cells: each after all that it needs.
    """
    found: set[str] = set()
    for cell in cells:
        if cell.objective in faulty or found.intersection(cell.needs):
            found.add(cell.id)
    return found
