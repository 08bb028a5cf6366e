"""What a study would run: its cells by name, each with its state in the run folder.

Whatever a run would refuse before its first step is refused here too; see ``rehearsal``. What is done
already is found as ``finished_part`` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from objbench.errors import ConfigError
from objbench.plugins.registry import Registry
from objbench.results.plan import PlannedCell, parts_sentence
from objbench.results.published_study import refuse_published
from objbench.results.run_folder import RunFolder
from objbench.runs.finished_part import finished_part
from objbench.runs.planning.cell_count import require_countable
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.curve_cells import curve_id
from objbench.runs.planning.declared_seeds import declared_looks, declared_seeds
from objbench.runs.planning.evaluation_cells import evaluations, trial_evaluation_id
from objbench.runs.planning.floor_cells import floors
from objbench.runs.planning.folder_owner import require_same_study
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.runs.planning.teachers import training_order
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
    finished = finished_part(study, registry, folder, device)
    known = {**folder.finished_cells(of_text), **finished.statuses}
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
