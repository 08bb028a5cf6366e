"""How many cells a study makes, counted before any of them is made.

A number typed where a name was meant (``--seeds 20240101``) would otherwise fill the memory, or
keep a machine busy for years, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

from objbench.contract.suite import Suite
from objbench.errors import ConfigError
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.floor_cells import untrained_objectives
from objbench.study.study import Study

MOST_CELLS = 200_000
"""More than this, cells and exported encoders together, is a slip: at a second each it is two days. What
150,000 cells take beside their own work is measured by ``make simulate``."""

Tasks = Callable[[Suite], tuple[str, ...]]
"""The tasks of a suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCounts:
    """The cells of a study by kind.

    Attributes:
        pretrain, trial, curve: their numbers.
        evaluation: (suite, task) -> evaluations of encoders at points of the budget.
        trial_evaluation: (suite, task) -> evaluations that settings are chosen by.
        untrained: (suite, task) -> floors that evaluate initial weights, or a checkpoint as it is.
        floor: (suite, task) -> floors without any encoder.
    """

    pretrain: int
    trial: int
    curve: int
    evaluation: Mapping[tuple[str, str], int] = field(default_factory=dict)
    trial_evaluation: Mapping[tuple[str, str], int] = field(default_factory=dict)
    untrained: Mapping[tuple[str, str], int] = field(default_factory=dict)
    floor: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        of_tasks = (self.evaluation, self.trial_evaluation, self.untrained, self.floor)
        return (
            self.pretrain
            + self.trial
            + self.curve
            + sum(sum(counts.values()) for counts in of_tasks)
        )


def require_countable(study: Study, plugins: ConfiguredPlugins, tasks: Tasks | None = None) -> None:
    """Refuse a study of more cells and exported encoders than ``MOST_CELLS``.

    Args:
        tasks: as for ``count_cells``.

    Raises:
        ConfigError: one line says how many it makes, of what, and what to lower.
    """
    cells = count_cells(study, plugins, tasks).total
    encoders = len(study.objectives) * len(study.seeds) * study.evaluation.points
    if cells + encoders > MOST_CELLS:
        raise ConfigError(
            f"that makes {cells:,} cells and {encoders:,} exported encoders "
            f"(objectives: {len(study.objectives)}, seeds: {len(study.seeds):,}, "
            f"evaluation points: {study.evaluation.points:,}); at most {MOST_CELLS:,} are run in one "
            "study: lower --seeds (a list such as 5,7 names single ones), --eval-points, or the "
            "grid and seeds of [tuning]"
        )


def count_cells(study: Study, plugins: ConfiguredPlugins, tasks: Tasks | None = None) -> CellCounts:
    """The cells of the study, as many as the planner makes one by one.

    Args:
        tasks: which tasks a suite has; None for those whose data is at hand.
    """
    tasks = tasks or (lambda suite: suite.tasks())
    pretrainings, trials = len(study.objectives) * len(study.seeds), _trials(study)
    evaluation: dict[tuple[str, str], int] = {}
    chosen_by: dict[tuple[str, str], int] = {}
    untrained: dict[tuple[str, str], int] = {}
    floor: dict[tuple[str, str], int] = {}
    for name, suite in plugins.suites.items():
        each = pretrainings * _evaluations(study, plugins, name, suite)
        initial = len(study.seeds) * len(untrained_objectives(study, suite))
        if study.encoder.init is not None:
            initial = len(suite.seeds())
        for task in tasks(suite):
            evaluation[name, task] = each
            untrained[name, task] = initial
            if suite.floors():
                floor[name, task] = len(suite.floors())
            if study.tuning is not None and study.tuning.score == name:
                chosen_by[name, task] = trials
    return CellCounts(
        pretrain=pretrainings,
        trial=trials,
        curve=pretrainings * len(plugins.curves),
        evaluation=evaluation,
        trial_evaluation=chosen_by,
        untrained=untrained,
        floor=floor,
    )


def _evaluations(study: Study, plugins: ConfiguredPlugins, name: str, suite: Suite) -> int:
    """How often the encoders of one pretraining are evaluated on each task of a suite."""
    followed = {curve.follows(tuple(plugins.suites)): curve for curve in plugins.curves.values()}
    final = len(suite.seeds())
    early = final if suite.every_point else 0
    if early == 0 and name in followed:
        early = min(followed[name].seeds_per_point, final)
    return final + (study.evaluation.points - 1) * early


def _trials(study: Study) -> int:
    if study.tuning is None:
        return 0
    grids = [study.tuning.objectives.get(name, study.tuning.grid) for name in study.objectives]
    combinations = sum(prod(len(values) for values in grid.values()) for grid in grids)
    return combinations * len(study.tuning.seeds)
