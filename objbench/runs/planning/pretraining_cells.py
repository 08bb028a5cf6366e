"""The cells that pretrain, of a study and of its trials: each has an id and a key.

The key is of all that determines what a pretraining computes, with the keys of its teachers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from objbench.contract.composition import Composition, recorded_options
from objbench.engine import ENGINE_VERSION
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.study.settings import WITHOUT_EFFECT_ON_NUMBERS
from objbench.study.study import Study
from objbench.study.tuning import Settings


def pretraining_id(objective: str, seed: int) -> str:
    """The id of a pretraining."""
    return f"{objective}.seed-{seed}"


def pretrain_cell(
    own: Study,
    plugins: ConfiguredPlugins,
    objective: str,
    seed: int,
    exports: Sequence[int],
    data: Mapping[str, Any],
    cells: Mapping[str, PlannedCell],
) -> PlannedCell:
    """The cell that pretrains one objective with one seed.

    Args:
        own: the study with the settings of the objective.
        exports: the steps of its points; the last is all that it takes.
        cells: with those of its teachers.
    """
    cls, config = plugins.objectives[objective]
    steps = exports[-1]
    teachers = [cells[pretraining_id(teacher, seed)] for teacher in cls.teachers(config)]
    parts = _training_parts(own, cls, config, seed, steps, exports, data, teachers)
    return PlannedCell(
        id=pretraining_id(objective, seed),
        kind="pretrain",
        key=content_key(parts),
        objective=objective,
        seed=seed,
        step=steps,
        needs=tuple(teacher.id for teacher in teachers),
    )


def trial_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    *,
    objective: str,
    cell_id: str,
    seed: int,
    settings: Settings,
    steps: int,
    data: Mapping[str, Any],
    best: Mapping[str, Mapping[int, PlannedCell]],
) -> PlannedCell:
    """The cell that pretrains one objective with one combination of its grid and one tuning seed.

    Args:
        best: objective -> tuning seed -> the trial of its best settings, for all objectives that
            this one may learn from.
    """
    own = study.for_objective(objective, settings)
    cls, _ = plugins.objectives[objective]
    config = plugins.config(own, objective)
    teachers = [best[teacher][seed] for teacher in cls.teachers(config)]
    parts = _training_parts(own, cls, config, seed, steps, [steps], data, teachers)
    return PlannedCell(
        id=cell_id,
        kind="trial",
        key=content_key({**parts, "heldout_part": "tuning"}),
        objective=objective,
        seed=seed,
        step=steps,
        needs=tuple(teacher.id for teacher in teachers),
        settings=settings,
    )


def _training_parts(
    own: Study,
    cls: type[Any] | Composition,
    config: Any,
    seed: int,
    steps: int,
    exports: Sequence[int],
    data: Mapping[str, Any],
    teachers: Sequence[PlannedCell],
) -> dict[str, Any]:
    """All that determines what a pretraining computes."""
    taught = {"teachers": {teacher.objective: teacher.key for teacher in teachers}}
    return {
        **(taught if teachers else {}),
        "engine": ENGINE_VERSION,
        "objective": cls.name,
        "source": source_digest(cls),
        "options": recorded_options(config),
        "encoder": own.encoder.identity,
        "data": data["key"],
        "training": own.training.model_dump(mode="json", exclude=set(WITHOUT_EFFECT_ON_NUMBERS)),
        "steps": steps,
        "exports": [*exports],
        "heldout_batches": own.evaluation.heldout_batches,
        "seed": seed,
    }
