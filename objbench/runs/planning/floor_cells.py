"""The cells that score what needs no pretraining: the floors of every suite of a study.

A suite's own floors need no encoder, so they are scored once. The untrained encoder is scored with
every pretraining seed, for the first of all objectives that begin with the same initial weights. An
objective begins with others where it has settings of the encoder of its own; and where a suite reads
the token head, since every objective initialises its own.

Where a study continues from a checkpoint, that checkpoint is scored in place of the untrained encoder,
once and not for every pretraining seed, since it is the same at all of them: what is left to show is
what further pretraining does to it. Where a suite reads the token head it is the baseline's, at the
first seed, which the checkpoint gives where it has one.

The first fine-tuning seed alone is used: a floor is compared with, and needs no interval. But a
checkpoint may be near the encoders that continue from it, so it is scored with every fine-tuning seed,
as they are. None of these cells needs another, and they come last in a plan, so that they delay nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from objbench.contract.composition import recorded_options
from objbench.contract.suite import CHECKPOINT, INITIAL_WEIGHTS, UNTRAINED, Suite
from objbench.plugins.source_digest import source_digest
from objbench.results.json_files import content_key
from objbench.results.plan import PlannedCell, encoder_settings
from objbench.runs.planning.configured_plugins import ConfiguredPlugins
from objbench.runs.planning.evaluation_cells import scoring_parts
from objbench.runs.planning.pretraining_cells import pretraining_id
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class WantedFloor:
    """One floor that a study asks for, before any key is known.

    Attributes:
        objective, seed: whose initial weights; the baseline and the first seed where there are none.
    """

    suite: str
    task: str
    floor: str
    objective: str
    seed: int
    finetune_seed: int

    @property
    def id(self) -> str:
        """The cell's id, such as "glue.cola.floor-untrained.mlm.seed-1.ft-0"."""
        is_untrained = self.floor == UNTRAINED
        whose = f".{pretraining_id(self.objective, self.seed)}" if is_untrained else ""
        return f"{self.suite}.{self.task}.floor-{self.floor}{whose}.ft-{self.finetune_seed}"


def floors(study: Study, plugins: ConfiguredPlugins) -> Iterator[WantedFloor]:
    """Every floor of the study once, in the order in which they are best run."""
    baseline, first = study.objectives[0], study.seeds[0]
    for name, suite in plugins.suites.items():
        for floor in suite.floors():
            for task in suite.tasks():
                yield WantedFloor(name, task, floor, baseline, first, suite.seeds()[0])
    if study.encoder.init is not None:
        for name, suite in plugins.suites.items():
            for task in suite.tasks():
                for finetune_seed in suite.seeds():
                    yield WantedFloor(name, task, CHECKPOINT, baseline, first, finetune_seed)
        return
    untrained = {name: untrained_objectives(study, s) for name, s in plugins.suites.items()}
    for seed in study.seeds:
        for name, suite in plugins.suites.items():
            for objective in untrained[name]:
                for task in suite.tasks():
                    yield WantedFloor(name, task, UNTRAINED, objective, seed, suite.seeds()[0])


def untrained_objectives(study: Study, suite: Suite) -> tuple[str, ...]:
    """The objectives whose initial weights are scored by ``suite``."""
    if suite.reads_token_head:
        return study.objectives
    found: dict[str, dict[str, Any]] = {}
    for name in study.objectives:
        own = encoder_settings(study.overrides.get(name, {}))
        if own not in found.values():
            found[name] = own
    return tuple(found)


def floor_cell(
    study: Study,
    plugins: ConfiguredPlugins,
    wanted: WantedFloor,
    data: Mapping[str, Any],
    own: Study,
) -> PlannedCell:
    """The cell of one floor.

    Args:
        data: as for ``planner.make_plan``.
        own: the study with the settings of the floor's objective.
    """
    suite = plugins.suites[wanted.suite]
    parts: dict[str, Any] = {
        **scoring_parts(study, suite, wanted.task, wanted.finetune_seed),
        "floor": wanted.floor,
        # The encoder says how long an input may be, also where it is not built.
        "encoder": own.encoder.identity,
        "data": data["key"],
    }
    if wanted.floor in INITIAL_WEIGHTS:
        if wanted.floor == UNTRAINED or suite.reads_token_head:
            parts["pretraining_seed"] = wanted.seed
        if suite.reads_token_head:
            kind, config = plugins.objectives[wanted.objective]
            parts["objective"] = kind.name
            parts["objective_source"] = source_digest(kind)
            parts["options"] = recorded_options(config)
    return PlannedCell(
        id=wanted.id,
        kind="floor",
        key=content_key(parts),
        objective=wanted.objective,
        seed=wanted.seed,
        suite=wanted.suite,
        task=wanted.task,
        finetune_seed=wanted.finetune_seed,
        share=0.0,
        floor=wanted.floor,
    )
