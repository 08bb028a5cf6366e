"""How many cells a study makes, counted before any of them is made.

A number typed where a name was meant (``--seeds 20240101``) would otherwise fill the memory, or
keep a machine busy for years, without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TypeVar

from objbench.contract.suite import INITIAL_WEIGHTS, Suite
from objbench.errors import ConfigError
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.floor_cells import untrained_objectives
from objbench.study.study import Study

MOST_CELLS = 200_000
"""More than this, cells and exported encoders together, is a slip: at a second each it is two days. What
150,000 cells take beside their own work is measured by ``make simulate``."""

_Key = TypeVar("_Key")

Tasks = Callable[[Suite], tuple[str, ...]]
"""The tasks of a suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCounts:
    """The cells of a study by kind.

    Attributes:
        pretrain, trial: objective -> its cells.
        curve: their number.
        evaluation: (suite, task) -> evaluations of encoders at points of the budget.
        trial_evaluation: (suite, task) -> evaluations that settings are chosen by.
        untrained: (suite, task) -> floors that evaluate initial weights, or a checkpoint as it is.
        floor: (suite, task) -> floors without any encoder.
    """

    pretrain: Mapping[str, int]
    trial: Mapping[str, int]
    curve: int
    evaluation: Mapping[tuple[str, str], int] = field(default_factory=dict)
    trial_evaluation: Mapping[tuple[str, str], int] = field(default_factory=dict)
    untrained: Mapping[tuple[str, str], int] = field(default_factory=dict)
    floor: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, int]:
        """Kind of cell -> their number."""
        return {
            "trial": sum(self.trial.values()),
            "pretrain": sum(self.pretrain.values()),
            "evaluation": sum(self.evaluation.values()),
            "trial_evaluation": sum(self.trial_evaluation.values()),
            "floor": sum(self.untrained.values()) + sum(self.floor.values()),
            "curve": self.curve,
        }

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.kinds.values())

    def without(self, cells: Iterable[PlannedCell]) -> CellCounts:
        """What is left where ``cells`` of the study are done."""
        objectives: dict[str, Counter[str]] = {"pretrain": Counter(), "trial": Counter()}
        tasks: dict[str, Counter[tuple[str, str]]] = {
            kind: Counter() for kind in ("evaluation", "trial_evaluation", "untrained", "floor")
        }
        curves = 0
        for cell in cells:
            if cell.kind in objectives:
                objectives[cell.kind][cell.objective] += 1
            elif cell.kind == "curve":
                curves += 1
            else:
                kind = "untrained" if cell.floor in INITIAL_WEIGHTS else cell.kind
                tasks[kind][cell.suite, cell.task] += 1
        return CellCounts(
            pretrain=_less(self.pretrain, objectives["pretrain"]),
            trial=_less(self.trial, objectives["trial"]),
            curve=max(self.curve - curves, 0),
            evaluation=_less(self.evaluation, tasks["evaluation"]),
            trial_evaluation=_less(self.trial_evaluation, tasks["trial_evaluation"]),
            untrained=_less(self.untrained, tasks["untrained"]),
            floor=_less(self.floor, tasks["floor"]),
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
    trials = _trials(study)
    pretrainings = len(study.objectives) * len(study.seeds)
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
                chosen_by[name, task] = sum(trials.values())
    return CellCounts(
        pretrain=dict.fromkeys(study.objectives, len(study.seeds)),
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


def _trials(study: Study) -> dict[str, int]:
    """Objective -> its trials."""
    tuning = study.tuning
    if tuning is None:
        return dict.fromkeys(study.objectives, 0)
    grids = {name: tuning.objectives.get(name, tuning.grid) for name in study.objectives}
    return {
        name: prod(len(values) for values in grid.values()) * len(tuning.seeds)
        for name, grid in grids.items()
    }


def _less(whole: Mapping[_Key, int], done: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: max(number - done.get(key, 0), 0) for key, number in whole.items()}
