"""How many cells a study makes, counted before any of them is made.

A number typed where a name was meant (``--seeds 20240101``) would otherwise fill the memory, or
keep a machine busy for years, without a word.
"""

from __future__ import annotations

from math import prod

from objbench.errors import ConfigError
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.floor_cells import untrained_objectives
from objbench.study.study import Study

MOST_CELLS = 100_000
"""More than this, cells and exported encoders together, is a slip: at a second each it is a day."""


def require_countable(study: Study, plugins: ConfiguredPlugins) -> None:
    """Refuse a study of more cells and exported encoders than ``MOST_CELLS``.

    Raises:
        ConfigError: one line says how many it makes, of what, and what to lower.
    """
    cells, encoders = _cells(study, plugins), _pretrainings(study) * study.evaluation.points
    if cells + encoders > MOST_CELLS:
        raise ConfigError(
            f"that makes {cells:,} cells and {encoders:,} exported encoders "
            f"(objectives: {len(study.objectives)}, seeds: {len(study.seeds):,}, "
            f"evaluation points: {study.evaluation.points:,}); at most {MOST_CELLS:,} are run in one "
            "study: lower --seeds (a list such as 5,7 names single ones), --eval-points, or the "
            "grid and seeds of [tuning]"
        )


def _pretrainings(study: Study) -> int:
    return len(study.objectives) * len(study.seeds)


def _cells(study: Study, plugins: ConfiguredPlugins) -> int:
    """The cells of the study, as the planner makes them one by one."""
    points = study.evaluation.points
    followed = {curve.follows(tuple(plugins.suites)): curve for curve in plugins.curves.values()}
    each = 1 + len(plugins.curves)
    for name, suite in plugins.suites.items():
        final = len(suite.seeds())
        early = final if suite.every_point else 0
        if early == 0 and name in followed:
            early = min(followed[name].seeds_per_point, final)
        each += len(suite.tasks()) * (final + (points - 1) * early)
    return _pretrainings(study) * each + _floors(study, plugins) + _trials(study, plugins)


def _floors(study: Study, plugins: ConfiguredPlugins) -> int:
    if study.encoder.init is not None:
        return sum(
            len(suite.tasks()) * (len(suite.floors()) + len(suite.seeds()))
            for suite in plugins.suites.values()
        )
    return sum(
        len(suite.tasks())
        * (len(suite.floors()) + len(study.seeds) * len(untrained_objectives(study, suite)))
        for suite in plugins.suites.values()
    )


def _trials(study: Study, plugins: ConfiguredPlugins) -> int:
    if study.tuning is None:
        return 0
    scored_by = plugins.suites.get(study.tuning.score)
    each = 1 + (len(scored_by.tasks()) if scored_by else 0)
    grids = [study.tuning.objectives.get(name, study.tuning.grid) for name in study.objectives]
    combinations = sum(prod(len(values) for values in grid.values()) for grid in grids)
    return combinations * len(study.tuning.seeds) * each
