"""The part of a study that its run folder has already: its cells that need not be run again.

A cell is done if its key, which is of all that its result depends on, has a record. Keys need what a
run measures first, the text and the cost of a step, which are those of the folder's last run as long
as they are of the same settings. Where there are none, nothing can have been done yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from objbench.plugins.registry import Registry
from objbench.results.plan import PlannedCell
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.runs.cells.step_costs import cost_key, is_timed, timed_on
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.trials import Tuner, cells_out_of_reach
from objbench.runs.processes import processes
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class FinishedPart:
    """The cells of a study that have a record of their present keys.

    Attributes:
        cells: as they are planned.
        statuses: id of each of them -> how it ended; "diverged" too, since it would diverge again.
    """

    cells: tuple[PlannedCell, ...] = ()
    statuses: Mapping[str, Status] = field(default_factory=dict)


def finished_part(study: Study, registry: Registry, folder: RunFolder, device: str) -> FinishedPart:
    """What ``folder`` has of ``study``.

    Args:
        study: the study.
        registry: the installed plugins.
        folder: where it runs; nothing may have been run there yet, but no other study.
        device: the torch device that it would run on, which a budget in time depends on.

    Raises:
        RecordError: the folder's plan, costs or records cannot be read.
    """
    if not folder.has_plan():
        return FinishedPart()
    folder.read_records()  # As a run does, which refuses a folder with a damaged one.
    plan = folder.read_plan()
    is_same = plan.study.get("data") == study.model_dump(mode="json")["data"]
    if not is_same or not {"key", "vocabulary"} <= plan.data.keys():
        return FinishedPart()
    chosen = configure_plugins(study, registry)
    cells: list[PlannedCell] = []
    if study.tuning is not None:
        tuner = Tuner(study, study.tuning, chosen, folder)
        costs, unmeasured = stored_costs(study, chosen, folder, plan.data, device)
        for names in tuner.rounds() if costs else ():
            best = tuner.best(cells, unmeasured)
            cells += tuner.cells(names, best, plan.data, costs, processes())
            ended = folder.finished_cells(cells)
            if {cell.id for cell in cells} - {*ended} - cells_out_of_reach(cells, unmeasured):
                return _part(cells, ended)
        study = tuner.tuned(cells, unmeasured)
        chosen = configure_plugins(study, registry)
    costs, _ = stored_costs(study, chosen, folder, plan.data, device)
    if costs:
        made = make_plan(
            study,
            chosen,
            name=folder.name,
            command="",
            data=plan.data,
            costs=costs,
            devices=processes(),
        )
        cells += made.cells
    return _part(cells, folder.finished_cells(cells))


def _part(cells: Iterable[PlannedCell], ended: Mapping[str, Status]) -> FinishedPart:
    return FinishedPart(tuple(cell for cell in cells if cell.id in ended), ended)


def stored_costs(
    study: Study,
    chosen: ConfiguredPlugins,
    folder: RunFolder,
    data: Mapping[str, Any],
    device: str,
) -> tuple[dict[str, StepCost], set[str]]:
    """(what a step costs as it was measured in ``folder``, of which objectives it was not).

    There are no costs where the baseline's was not measured. A step that was never measured belongs
    to cells that were never run. The baseline's cost stands in for it here, where it only has to
    give some number of steps.
    """
    machine = timed_on(device) if is_timed(study) else {}
    keys = {name: cost_key(study, chosen, name, data, machine) for name in study.objectives}
    found = {
        name: folder.read_cost(name, key)
        for name, key in keys.items()
        if folder.has_cost(name, key)
    }
    baseline = found.get(study.objectives[0])
    costs = {name: found.get(name, baseline) for name in keys} if baseline else {}
    return costs, keys.keys() - found.keys()
