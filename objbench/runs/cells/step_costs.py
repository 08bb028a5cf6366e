"""What a step of each objective of a study costs: measured once, then kept in the run folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from objbench.contract.composition import recorded_options
from objbench.engine import ENGINE_VERSION
from objbench.engine.training.job import PretrainJob
from objbench.plugins.source_digest import source_digest
from objbench.results.atomic_files import write_text
from objbench.results.json_files import content_key, dump
from objbench.results.plan import PlannedCell
from objbench.results.records import StoredCost
from objbench.results.run_folder import read_cost
from objbench.runs.cells.prepared_study import StudyText, pretrain_job
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.processes import is_main, wait_for_all
from objbench.runs.progress import Display
from objbench.study.budget import StepCost, parse_budget
from objbench.study.study import Study


def step_costs(
    study: Study, chosen: ConfiguredPlugins, text: StudyText, run: Path, device: str, shown: Display
) -> dict[str, StepCost]:
    """What a step of each objective costs: counted and timed once, then kept in the run folder.

    A stored cost is used as long as what it was measured on is the same, so that a time budget
    stays frozen to its number of steps when the study goes on another day.
    """
    timed = study.equalize == "seconds" or parse_budget(study.budget).axis == "seconds"
    keys = {name: cost_key(study, chosen, text, name, timed) for name in study.objectives}
    paths = {name: run / "costs" / f"{name}.{keys[name][:12]}.json" for name in study.objectives}
    if not all(path.is_file() for path in paths.values()):
        from objbench.engine.measuring.step_cost import calibrate

        shown.say("measuring a step of " + ", ".join(study.objectives))
        jobs = step_jobs(study, chosen, text, run, device)
        measured = dict(zip(study.objectives, calibrate(jobs, timed=timed), strict=True))
        if is_main():
            for name, cost in measured.items():
                if not paths[name].is_file():
                    write_text(paths[name], dump(StoredCost(**asdict(cost))))
    wait_for_all()
    stored = {name: read_cost(path) for name, path in paths.items()}
    return {name: StepCost(**cost.model_dump()) for name, cost in stored.items()}


def step_jobs(
    study: Study, chosen: ConfiguredPlugins, text: StudyText, run: Path, device: str
) -> list[PretrainJob]:
    """Jobs to measure a step of each objective of the study with, in its order."""
    return [
        pretrain_job(study, chosen, text, _step_of(name, study.seeds[0]), run=run, device=device)
        for name in study.objectives
    ]


def cost_key(
    study: Study, chosen: ConfiguredPlugins, text: StudyText, name: str, timed: bool
) -> str:
    """A key of all that what a step of the objective ``name`` costs depends on.

    Args:
        timed: its time was measured too, beside the study's other objectives.
    """
    cls, config = chosen.objectives[name]
    own = study.of(name)
    return content_key(
        {
            "engine": ENGINE_VERSION,
            "source": source_digest(cls),
            "options": recorded_options(config),
            "encoder": own.encoder.model_dump(mode="json"),
            "training": own.training.model_dump(mode="json"),
            "length": study.data.length,
            "vocabulary": text.vocabulary.size,
            # Objectives are timed side by side, so a new one means timing all of them again.
            "beside": list(study.objectives) if timed else [],
        }
    )


def _step_of(objective: str, seed: int) -> PlannedCell:
    """A cell of one step, of which nothing is stored."""
    return PlannedCell(id="", kind="pretrain", key="", objective=objective, seed=seed, step=1)
