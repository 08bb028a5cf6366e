"""The cells that summarise a curve: each has an id and a key of the evaluations that it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from objbench.contract.suite import CurveSuite
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.study.study import Study


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
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell of one curve; ``cells`` holds the evaluations it reads."""
    follows = curve.follows(tuple(plugins.suites))
    chosen = plugins.suites[follows].seeds()[: curve.seeds_per_point]
    needs = tuple(
        cell.id
        for cell in cells.values()
        if cell.kind == "evaluation"
        and cell.suite == follows
        and cell.seed == seed
        and cell.objective in (objective, study.objectives[0])
        and cell.finetune_seed in chosen
    )
    key = content_key(
        {
            "suite": name,
            "version": curve.version,
            "source": source_digest(type(curve)),
            "options": asdict(curve.config),
            "average": asdict(plugins.suites[follows].average()),
            "upstream": [cells[needed].key for needed in needs],
        }
    )
    return PlannedCell(
        id=curve_id(name, objective, seed),
        kind="curve",
        key=key,
        objective=objective,
        seed=seed,
        suite=name,
        needs=needs,
    )
