"""What a study would run: its cells by name, each with its state in the run folder.

Whatever a run would refuse before its first step is refused here too; see ``rehearsal``. A cell is
done if its key, which is of all that its result depends on, has a record. Keys need what a run
measures first, the text and the cost of a step, which are those of the folder's last run as long
as they are of the same settings. Where there are none, nothing can have been done yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from objbench.errors import ConfigError
from objbench.plugins.registry import Registry
from objbench.results.plan import PlannedCell, parts_sentence
from objbench.results.published_study import refuse_published
from objbench.results.records import Status
from objbench.results.run_folder import RunFolder
from objbench.results.step_cost import StepCost
from objbench.runs.cells.step_costs import cost_key, is_timed, timed_on
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.curve_cells import curve_id
from objbench.runs.planning.declared_seeds import declared_looks, declared_seeds
from objbench.runs.planning.evaluation_cells import evaluations, trial_evaluation_id
from objbench.runs.planning.floor_cells import floors
from objbench.runs.planning.folder_owner import require_same_study
from objbench.runs.planning.planner import make_plan
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.runs.planning.teachers import training_order
from objbench.runs.planning.trials import Tuner, cells_out_of_reach
from objbench.runs.processes import processes
from objbench.runs.rehearsal import rehearse
from objbench.study.study import Study


def dry_run(study: Study, *, run: Path, registry: Registry, device: str = "cpu") -> str:
    """The cells of ``study``, one per line with its state in ``run``; nothing is trained.

    Args:
        study, run, registry, device: as for ``run_study``.

    Raises:
        ObjbenchError: the study cannot be run, or not in this folder.
    """
    refuse_published(run)
    _require_writable(run)
    chosen, folder = configure_plugins(study, registry), RunFolder(run)
    require_countable(study, chosen)
    require_same_study(study, folder)
    declared_seeds(study, folder)
    declared_looks(study, folder)
    rehearse(study, chosen, folder)
    of_text = _of_text(study, folder)
    ids = [*(cell.id for cell in of_text), *_trials(study, chosen)]
    scored: dict[int, list[str]] = {}
    for wanted in evaluations(study, chosen):
        scored.setdefault(wanted.seed, []).append(wanted.id)
    for seed in study.seeds:
        ids += [pretraining_id(name, seed) for name in training_order(chosen)]
        ids += scored.get(seed, ())
        ids += [curve_id(c, name, seed) for c in chosen.curves for name in study.objectives]
    ids += [wanted.id for wanted in floors(study, chosen)]
    known = folder.finished_cells(of_text) | _finished(study, chosen, folder, registry, device)
    words = {"ok": "done"}
    lines = [f"{words.get(known.get(i, ''), known.get(i, 'to do')):8} {i}" for i in ids]
    rule = f"budget {study.budget}, equal {study.equalize}, baseline {study.objectives[0]}"
    reasons = {name: kind.across_sequences for name, (kind, _) in chosen.objectives.items()}
    parts = parts_sentence(study.training.micro_batches, reasons)
    lines += [parts] if parts else []
    return "\n".join([*lines, f"{len(ids)} cell{'s' if len(ids) != 1 else ''} in {run}; {rule}"])


def _require_writable(run: Path) -> None:
    """Refuse a folder in which a run could write nothing, without making it."""
    there = next(path for path in (run, *run.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ConfigError(f"{there} is a file, not a folder; name another folder with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"the run folder {run} cannot be written: {there} is read-only; name another with --out"
        )


def _finished(
    study: Study, chosen: ConfiguredPlugins, folder: RunFolder, registry: Registry, device: str
) -> dict[str, Status]:
    """The cells of the study that have a record of their present keys in ``folder``."""
    if not folder.has_plan():
        return {}
    plan = folder.read_plan()
    is_same = plan.study.get("data") == study.model_dump(mode="json")["data"]
    if not is_same or not {"key", "vocabulary"} <= plan.data.keys():
        return {}
    trials: dict[str, Status] = {}
    if study.tuning is not None:
        tuner = Tuner(study, study.tuning, chosen, folder)
        costs, unmeasured = _stored_costs(study, chosen, folder, plan.data, device)
        cells: list[PlannedCell] = []
        for names in tuner.rounds() if costs else ():
            best = tuner.best(cells, unmeasured)
            cells += tuner.cells(names, best, plan.data, costs, processes())
            trials = folder.finished_cells(cells)
            if {cell.id for cell in cells} - {*trials} - cells_out_of_reach(cells, unmeasured):
                return trials
        study = tuner.tuned(cells, unmeasured)
        chosen = configure_plugins(study, registry)
    costs, _ = _stored_costs(study, chosen, folder, plan.data, device)
    if not costs:
        return trials
    made = make_plan(
        study,
        chosen,
        name=folder.name,
        command="",
        data=plan.data,
        costs=costs,
        devices=processes(),
    )
    return trials | folder.finished_cells(made.cells)


def _stored_costs(
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


def _of_text(study: Study, folder: RunFolder) -> tuple[PlannedCell, ...]:
    """The cells that make the text, as they were planned in ``folder``."""
    plan = folder.read_text_plan()
    if plan is None or plan.study["data"] != study.model_dump(mode="json")["data"]:
        return ()
    return plan.cells


def _trials(study: Study, chosen: ConfiguredPlugins) -> Iterator[str]:
    if study.tuning is None:
        return
    suite = chosen.suites.get(study.tuning.score)
    for name in study.objectives:
        for seed in study.tuning.seeds:
            for number in range(len(study.tuning.trials(name))):
                trial = study.tuning.trial_id(name, number, seed)
                yield trial
                if suite is not None:
                    for task in suite.tasks():
                        yield trial_evaluation_id(suite.name, task, trial)
