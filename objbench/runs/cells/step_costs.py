"""What a step of each objective of a study costs: measured once, then kept in the run folder."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from objbench.contract.composition import recorded_options
from objbench.engine import ENGINE_VERSION
from objbench.engine.training.job import PretrainJob
from objbench.errors import ConfigError, ObjbenchError, PluginError
from objbench.judge.formatting import listed
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.results.provenance import device_name, versions
from objbench.results.realised_rate import require_declared
from objbench.results.step_cost import StepCost
from objbench.runs.cells.memory_faults import memory_faults
from objbench.runs.cells.plugin_fault import reason_of
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.processes import is_main, processes, wait_for_all
from objbench.runs.watch import TimeUp, time_limit
from objbench.study.budget import parse_budget
from objbench.study.study import Study


def step_costs(prepared: PreparedStudy, faults: dict[str, str]) -> dict[str, StepCost]:
    """What a step of each objective costs: counted and timed once, then kept in the run folder.

    A stored cost is used as long as what it was measured on is the same, so that a time budget
    stays frozen to its number of steps when the study continues on another day, but not when it
    continues on another device.

    Args:
        prepared: the study.
        faults: by objective, why a step of it cannot be taken, as far as that is known; receives
            those that are found. The baseline's cost stands in for that of such a step, and no
            cell of the objective may be run.

    Raises:
        ConfigError: an objective predicts much less of this text, or more, than it declares; or the
            device's memory is not enough for one of its steps.
        PluginError: the baseline cannot take a step, so that there is no budget.
    """
    study, folder = prepared.study, prepared.folder
    timed = is_timed(study)
    keys = step_cost_keys(prepared, timed)
    able = [name for name in study.objectives if name not in faults]
    missing = [name for name in able if not folder.has_cost(name, keys[name])]
    if missing:
        prepared.display.say("measuring a step of " + ", ".join(able))
        measured, found = _measured(prepared, able, timed)
        faults |= found
        if is_main():
            for name, cost in measured.items():
                if name in missing:
                    folder.write_cost(name, keys[name], cost)
    wait_for_all()
    costs = {name: folder.read_cost(name, keys[name]) for name in able if name not in faults}
    for name, cost in costs.items():
        require_declared(name, cost.rate)
        if cost.rate is not None and cost.rate.is_said and name in missing:
            prepared.display.say(f"note: {name} predicts {cost.rate.words}")
    return {name: costs.get(name, costs[study.objectives[0]]) for name in study.objectives}


def _measured(
    prepared: PreparedStudy, names: Sequence[str], timed: bool
) -> tuple[dict[str, StepCost], dict[str, str]]:
    """(the costs of the objectives ``names``, why the others cannot take a step), both by name."""
    from objbench.engine.measuring.step_cost import calibrate

    jobs, limit = dict(zip(names, step_jobs(prepared, names), strict=True)), prepared.cell_timeout

    def measured(jobs: Mapping[str, PretrainJob]) -> dict[str, StepCost]:
        with time_limit(limit and limit * len(jobs)):
            return dict(zip(jobs, calibrate([*jobs.values()], timed=timed), strict=True))

    try:
        return measured(jobs), {}
    except ObjbenchError:
        raise
    except (Exception, SystemExit, TimeUp):  # noqa: BLE001, S110 - found again below, one at a time
        pass
    faulty = {name: reason for name, job in jobs.items() if (reason := _fault(job, limit))}
    for name, reason in faulty.items():
        if name == prepared.study.objectives[0]:
            origin = str(prepared.registry.origin(name))
            raise PluginError(name, origin, f"the baseline cannot take a step: {reason}")
    able = {name: job for name, job in jobs.items() if name not in faulty}
    try:
        return measured(able), faulty  # The first attempt may have timed out while loading.
    except TimeUp as error:
        raise ConfigError(
            f"measuring the steps of {listed([*able])} takes longer than --cell-timeout: raise it"
        ) from error


def _fault(job: PretrainJob, limit: float | None) -> str:
    """Why no step of ``job`` can be taken, within ``limit`` seconds if given; "" where it can."""
    from objbench.engine.measuring.step_cost import calibrate

    try:
        with time_limit(limit), memory_faults(job):
            calibrate([job], timed=True)
    except ConfigError:
        raise
    except (Exception, SystemExit, TimeUp) as error:  # noqa: BLE001 - foreign code may raise anything
        if not isinstance(error, TimeUp):
            traceback.print_exc(file=sys.stderr)
        return f"measuring a step: {reason_of(error)}"
    return ""


def step_jobs(prepared: PreparedStudy, names: Sequence[str]) -> list[PretrainJob]:
    """Jobs to measure a step of each of the objectives ``names`` with."""
    seed = prepared.study.seeds[0]
    return [prepared.pretrain_job(_step_of(name, seed)) for name in names]


def is_timed(study: Study) -> bool:
    """Whether the seconds of a step decide how many steps the study's objectives get."""
    return study.equalize == "seconds" or parse_budget(study.budget).axis == "seconds"


def step_cost_keys(prepared: PreparedStudy, timed: bool) -> dict[str, str]:
    """The key of the cost of a step of each objective of the study; see ``cost_key``."""
    study, data = prepared.study, prepared.text.description()
    machine = timed_on(prepared.device) if timed else {}
    return {
        name: cost_key(study, prepared.plugins, name, data, machine) for name in study.objectives
    }


def timed_on(device: str) -> dict[str, Any]:
    """What the time of a step depends on beside the study.

    The number of threads is not part of it: with ``--jobs`` it depends on how many cells there are,
    so that another seed would change the budget of those that are done.
    """
    return {
        "device": device_name(device),
        "torch": versions().get("torch", ""),
        "processes": processes(),
    }


def cost_key(
    study: Study,
    plugins: ConfiguredPlugins,
    objective: str,
    data: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> str:
    """A key of all that the cost of a step of ``objective`` depends on.

    Args:
        study: the study.
        plugins: its plugins.
        objective: its name.
        data: what a plan records of the study's text.
        machine: where its time was measured too, beside the study's other objectives, as
            ``timed_on`` says; empty where it was only counted.
    """
    cls, config = plugins.objectives[objective]
    own = study.for_objective(objective)
    return content_key(
        {
            "engine": ENGINE_VERSION,
            "source": source_digest(cls),
            "options": recorded_options(config),
            "encoder": own.encoder.identity,
            "training": own.training.model_dump(mode="json"),
            "length": study.data.length,
            "vocabulary": data["vocabulary"],
            # How much is predicted depends on the words of the text.
            "text": data["key"],
            # Objectives are timed side by side, so a new one means timing all of them again.
            "beside": list(study.objectives) if machine else [],
            **({"machine": dict(machine)} if machine else {}),
        }
    )


def _step_of(objective: str, seed: int) -> PlannedCell:
    """A cell of one step, of which nothing is stored."""
    return PlannedCell(
        id=f"{objective}.step",
        kind="pretrain",
        key="0" * 64,
        objective=objective,
        seed=seed,
        step=1,
    )
