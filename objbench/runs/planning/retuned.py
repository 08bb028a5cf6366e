"""A stranger's trials made again: the same cells, and whether they choose the settings of the plan.

The trials' losses and scores are those of their records. What is looked for is a study that was run
with other settings than its own trials choose, or whose trials are not those of its grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from objbench.plugins.registry import Registry
from objbench.results.plan import TUNING_KINDS, Plan, PlannedCell
from objbench.results.records import AnyRecord
from objbench.results.reference_lines import ReferenceLines
from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.trials import Tuner
from objbench.study.study import Study


def why_not(study: Study, usable: Study) -> str:
    """Why the trials of ``study`` cannot be made again; "" where they can or there are none.

    Args:
        study: the stranger's.
        usable: the part of it whose plugins and data are here.
    """
    if study.tuning is None:
        return ""
    if usable.objectives != study.objectives:
        return "an objective is not here"
    score = study.tuning.score
    if score in study.evaluation.suites and score not in usable.evaluation.suites:
        return f"{score} is not here"
    chosen = [place for own in study.overrides.values() for place in own]
    if any(not place.startswith("training.") for place in chosen):
        return "what a step cost before the settings were chosen is not in the plan"
    return ""


def retuned(
    plan: Plan,
    study: Study,
    registry: Registry,
    records: Mapping[str, AnyRecord],
    lines: ReferenceLines | None,
    costs: Mapping[str, StepCost],
    devices: int,
) -> tuple[list[PlannedCell], list[str]]:
    """(the trials of a study as they must be, what else is wrong with its settings, one line each).

    Args:
        plan: from a stranger.
        study: its study, for which ``why_not`` is "", with the data of this machine.
        registry: its plugins.
        records: cell id -> its record.
        lines: its reference lines.
        costs, devices: as for ``planner.make_plan``.

    Raises:
        ConfigError, BudgetError, UnknownNameError: its settings do not fit together, or its trials
            choose nothing.
    """
    tuning = study.tuning
    if tuning is None:
        return [], []
    before = {
        name: {p: v for p, v in own.items() if p not in tuning.objectives.get(name, tuning.grid)}
        for name, own in study.overrides.items()
    }
    base = study.model_copy(update={"overrides": {n: own for n, own in before.items() if own}})
    with TemporaryDirectory(prefix="objbench-") as path:
        folder = RunFolder(Path(path))
        for record in records.values():
            if record.kind in TUNING_KINDS:
                folder.write_record(record)
        folder.write_reference_lines(lines)
        tuner = Tuner(base, tuning, configure_plugins(base, registry), folder)
        trials: list[PlannedCell] = []
        for names in tuner.rounds():
            trials += tuner.cells(names, tuner.best(trials), plan.data, costs, devices)
        tuned = tuner.tuned(trials)
    return trials, list(_choices(tuned, study))


def _choices(tuned: Study, study: Study) -> Iterator[str]:
    for name in study.objectives:
        if tuned.overrides.get(name, {}) != study.overrides.get(name, {}):
            yield f"plan.json: the settings of {name} are not those that its trials choose"
