"""The cells that summarise a curve: each has an id and a key of the evaluations that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from operator import itemgetter

from objbench.contract.suite import CurveSuite
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.study.study import Study

Placed = tuple[int, PlannedCell]
"""A cell and its place among others, by which those of two objectives are put in order again."""


def by_objective(evaluations: Iterable[PlannedCell]) -> dict[str, list[Placed]]:
    """Objective -> its evaluations, each with its place among ``evaluations``."""
    found: dict[str, list[Placed]] = {}
    for placed in enumerate(evaluations):
        found.setdefault(placed[1].objective, []).append(placed)
    return found


def curve_id(curve: str, objective: str, seed: int) -> str:
    """The id of a curve."""
    return f"{curve}.{pretraining_id(objective, seed)}"


def curve_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    name: str,
    curve: CurveSuite,
    objective: str,
    seed: int,
    evaluated: Mapping[str, Iterable[Placed]],
) -> PlannedCell:
    """The cell of one curve; ``evaluated`` holds the evaluations of its seed, ``by_objective``."""
    follows = curve.follows(tuple(plugins.suites))
    chosen = plugins.suites[follows].seeds()[: curve.seeds_per_point]
    placed = [one for side in {objective, study.objectives[0]} for one in evaluated.get(side, ())]
    read = [
        cell
        for _, cell in sorted(placed, key=itemgetter(0))
        if cell.suite == follows and cell.finetune_seed in chosen
    ]
    key = content_key(
        {
            "suite": name,
            "version": curve.version,
            "source": source_digest(type(curve)),
            "options": asdict(curve.config),
            "average": asdict(plugins.suites[follows].average()),
            "upstream": [cell.key for cell in read],
        }
    )
    return PlannedCell(
        id=curve_id(name, objective, seed),
        kind="curve",
        key=key,
        objective=objective,
        seed=seed,
        suite=name,
        needs=tuple(cell.id for cell in read),
    )
