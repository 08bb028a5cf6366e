"""What a study would run: its cells by name, each with its state in the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from objbench.plugins.registry import Registry
from objbench.results.run_folder import RunFolder
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.planned_cells import (
    curve_id,
    evaluations,
    pretraining_id,
    trial_evaluation_id,
)
from objbench.runs.planning.teachers import training_order
from objbench.study.study import Study


def dry_run(study: Study, *, run: Path, registry: Registry) -> str:
    """The cells of ``study``, one per line with its state in ``run``; nothing is computed."""
    chosen = configure_plugins(study, registry)
    known: dict[str, str] = {}
    folder = RunFolder(run)
    if folder.has_plan():
        finished = folder.finished_cells(folder.read_plan().cells)
        words = {"ok": "done"}
        known = {cell: words.get(status, status) for cell, status in finished.items()}
    ids = list(_trials(study, chosen))
    ids += [pretraining_id(name, seed) for seed in study.seeds for name in training_order(chosen)]
    ids += [wanted.id for wanted in evaluations(study, chosen)]
    ids += [
        curve_id(curve, name, seed)
        for curve in chosen.curves
        for seed in study.seeds
        for name in study.objectives
    ]
    lines = [f"{known.get(cell, 'to do'):8} {cell}" for cell in ids]
    rule = f"budget {study.budget}, equal {study.equalize}, baseline {study.objectives[0]}"
    note = " ('done' is by the folder's last plan)" if known else ""
    return "\n".join([*lines, f"{len(ids)} cells in {run}{note}; {rule}"])


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
