"""How many cells a study makes, counted before any of them is made.

A number typed where a name was meant (``--seeds 20240101``) would otherwise fill the memory, or
keep a machine busy for years, without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod

from objbench.contract.suite import INITIAL_WEIGHTS, Suite
from objbench.errors import ConfigError
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.floor_cells import untrained_objectives
from objbench.study.study import Study

MOST_CELLS = 200_000
"""More than this, cells and exported encoders together, is a slip: at a second each it is two days. What
150,000 cells take beside their own work is measured by ``make simulate``."""

Tasks = Callable[[Suite], tuple[str, ...]]
"""The tasks of a suite."""


Sort = tuple[str, str, str]
"""Of a pretraining or a trial ("pretrain" or "trial", objective, ""); of all else its kind, suite and
task, where "untrained" are the floors that evaluate initial weights, or a checkpoint as it is."""


@dataclass(frozen=True, slots=True)
class CellCounts:
    """The cells of a study by sort.

    Attributes:
        of: sort -> its cells; those of which there are none are left out.
    """

    of: Counter[Sort]

    @property
    def kinds(self) -> Counter[str]:
        """Kind of cell, as plans name it -> its cells."""
        found: Counter[str] = Counter()
        for (kind, _, _), number in self.of.items():
            found["floor" if kind == "untrained" else kind] += number
        return found

    def tasks(self, *kinds: str) -> Counter[tuple[str, str]]:
        """(suite, task) -> its cells of all these kinds."""
        found: Counter[tuple[str, str]] = Counter()
        for (kind, suite, task), number in self.of.items():
            if kind in kinds:
                found[suite, task] += number
        return found

    def without(self, cells: Iterable[PlannedCell]) -> CellCounts:
        """What is left where ``cells`` of the study are done."""
        return CellCounts(self.of - Counter(_sort(cell) for cell in cells))


def require_countable(study: Study, plugins: ConfiguredPlugins, tasks: Tasks | None = None) -> None:
    """Refuse a study of more cells and exported encoders than ``MOST_CELLS``.

    Args:
        tasks: as for ``count_cells``.

    Raises:
        ConfigError: one line says how many it makes, of what, and what to lower.
    """
    cells = count_cells(study, plugins, tasks).of.total()
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
    seeds, trials = len(study.seeds), _trials(study)
    pretrainings = len(study.objectives) * seeds
    found: dict[Sort, int] = {}
    for name in study.objectives:
        found["trial", name, ""] = trials[name]
        found["pretrain", name, ""] = seeds
    for name, suite in plugins.suites.items():
        each = pretrainings * _evaluations(study, plugins, name, suite)
        initial = seeds * len(untrained_objectives(study, suite))
        if study.encoder.init is not None:
            initial = len(suite.seeds())
        is_score = study.tuning is not None and study.tuning.score == name
        for task in tasks(suite):
            found["evaluation", name, task] = each
            found["trial_evaluation", name, task] = sum(trials.values()) if is_score else 0
            found["untrained", name, task] = initial
            found["floor", name, task] = len(suite.floors())
    for name in plugins.curves:
        found["curve", name, ""] = pretrainings
    return CellCounts(+Counter(found))


def _sort(cell: PlannedCell) -> Sort:
    if cell.kind in ("pretrain", "trial"):
        return cell.kind, cell.objective, ""
    return "untrained" if cell.floor in INITIAL_WEIGHTS else cell.kind, cell.suite, cell.task


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
