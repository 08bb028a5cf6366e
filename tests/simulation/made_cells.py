"""A study of any number of cells: planned by the planner itself, with records that nobody computed.

Objectives are masked language modelling under as many labels, the suites are two that evaluate
nothing and the convergence suite, so that each pretraining has 50 cells: itself, nine tasks at five
points of its budget, three tasks of another suite at the last, and a curve. There are floors too.
Scores are drawn from a stream of fixed name: every objective has an effect, and every run noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import log
from typing import Any

import numpy as np

from objbench.contract.suite import Average, Column, Suite
from objbench.plugins.loading import load_plugins
from objbench.plugins.registry import Registry
from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import (
    AnyRecord,
    Cost,
    CurveRecord,
    EvaluationRecord,
    FloorRecord,
    Plugin,
    PretrainRecord,
    Provenance,
)
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.step_cost import StepCost
from objbench.results.training_points import CommonLoss, ExportedPoint, LoggedPoint, Meters
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.planner import make_plan
from objbench.study.study import Study, build_study

POINTS = 5
STEPS = 10_000
WORDS = 8103
TOKENS, FLOPS, SECONDS = 2048, 3.0e9, 0.05
COST = StepCost(tokens=float(TOKENS), flops=FLOPS, seconds=SECONDS)
PROVENANCE = Provenance(
    command="make simulate",
    versions={"objbench": "0"},
    device="cpu: made up",
    threads=1,
    processes=1,
    git_commit=None,
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:01:00+00:00",
)
PLUGIN = Plugin(name="made-up", project="objbench", version="0", source="f00d")
LINES = ReferenceLines(
    lines={
        "masked": Lines(uniform=log(WORDS), unigram=6.3, bag=5.3, bigram=4.5, neighbours=3.2),
        "next": Lines(uniform=log(WORDS), unigram=6.2, bag=5.9, bigram=4.5),
    },
    train_tokens=1_000_000,
    heldout_tokens=10_000,
    characters_per_token=4.2,
    key="11e5",
    provenance=PROVENANCE,
)


class Tasks(Suite):
    """Nine tasks that nothing is evaluated on."""

    name = "made_tasks"
    summary = "tasks that are made up"
    version = 1
    protocol = "none"  # type: ignore[assignment]
    count = 9

    def tasks(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(f"{self.name}_{number}" for number in range(self.count))

    def columns(self) -> tuple[Column, ...]:
        """One each."""
        return tuple(Column(task, task, ("accuracy",)) for task in self.tasks())

    def average(self) -> Average:
        """The mean of all."""
        return Average(f"mean of {self.count} tasks", tuple((task,) for task in self.tasks()))

    def floors(self) -> tuple[str, ...]:
        """One."""
        return ("majority",)

    def fingerprint(self, task: str) -> str:
        """The name, as there is nothing else."""
        return task

    def evaluate(self, *_: Any) -> Any:
        """Nothing is evaluated."""
        raise NotImplementedError


class FewTasks(Tasks):
    """Three tasks that are evaluated at the end alone."""

    name = "made_probe"
    count = 3


@dataclass(frozen=True)
class MadeStudy:
    """A study of ``objectives`` times ``seeds`` pretrainings, each with 50 cells, and floors.

    Attributes:
        logged: points of each pretraining's log.
    """

    objectives: int
    seeds: int
    logged: int = 100

    @cached_property
    def study(self) -> Study:
        """Its settings."""
        names = ["mlm", *(f"mlm@{number:03d}" for number in range(1, self.objectives))]
        settings = {
            "objectives": names,
            "seeds": list(range(self.seeds)),
            "budget": f"{STEPS}-steps",
            "training": {"schedule": "trunk"},
            "evaluation": {"points": POINTS, "suites": ["made_tasks", "made_probe", "convergence"]},
            "options": {
                name: {"mlm": {"rate": 0.15 + 0.001 * number}}
                for number, name in enumerate(names)
                if number
            },
        }
        return build_study([settings], "the made-up study")

    def plugins(self) -> ConfiguredPlugins:
        """Its plugins."""
        return configure_plugins(self.study, made_registry())

    def plan(self, plugins: ConfiguredPlugins) -> Plan:
        """Its plan."""
        return make_plan(
            self.study,
            plugins,
            name="made-up",
            command="make simulate",
            data={"key": "0" * 64, "vocabulary": WORDS, "corpus": {"tokens": 10**9}},
            costs=dict.fromkeys(self.study.objectives, COST),
            devices=1,
            declared=(self.study.seeds,),
        )

    def records(self, plan: Plan) -> Iterator[AnyRecord]:
        """A record for every cell of its plan, in the order of the plan."""
        draw = np.random.Generator(np.random.Philox(16)).standard_normal
        effects = 0.02 * draw(self.objectives)
        effects[0] = 0.0
        noise = 0.004 * draw((self.objectives, self.seeds))
        place = {objective.name: number for number, objective in enumerate(plan.objectives)}
        for cell in plan.cells:
            at = place[cell.objective]
            gain = float(effects[at] + noise[at, cell.seed])
            yield _record(cell, gain, self.logged)


def made_registry() -> Registry:
    """The installed objective and curve suite, and the suites of this file."""
    found = load_plugins(only=("mlm", "convergence"))
    made = {suite.name: suite for suite in (Tasks, FewTasks)}
    return replace(found, suites={**found.suites, **made})


def _meters(share: float) -> Meters:
    steps = round(STEPS * share)
    return Meters(
        steps=steps, tokens=steps * TOKENS, flops=steps * FLOPS, seconds=round(steps * SECONDS, 6)
    )


def _record(cell: PlannedCell, gain: float, logged: int) -> AnyRecord:
    shared: dict[str, Any] = {
        "id": cell.id,
        "key": cell.key,
        "status": "ok",
        "objective": cell.objective,
        "seed": cell.seed,
        "provenance": PROVENANCE,
        "plugin": PLUGIN,
    }
    if cell.kind == "pretrain":
        return _pretraining(cell, gain, logged, shared)
    if cell.kind == "curve":
        return CurveRecord(
            **shared,
            suite=cell.suite,
            suite_version=2,
            follows="made_tasks",
            baseline="mlm",
            upstream=[],
            values={
                axis: {"value": 1.0 + gain} for axis in ("steps", "tokens", "flops", "seconds")
            },
        )
    shared |= {
        "suite": cell.suite,
        "suite_version": 1,
        "protocol": "none",
        "task": cell.task,
        "finetune_seed": cell.finetune_seed,
        "share": cell.share,
        "upstream": "",
    }
    if cell.kind == "floor":
        score = 0.3
        return FloorRecord(
            **shared, scores={cell.task: {"accuracy": score}}, meters=_meters(0.0), floor=cell.floor
        )
    score = 0.7 + gain - 0.1 * (1 - cell.share)
    return EvaluationRecord(
        **shared, scores={cell.task: {"accuracy": score}}, meters=_meters(cell.share)
    )


def _pretraining(
    cell: PlannedCell, gain: float, logged: int, shared: dict[str, Any]
) -> PretrainRecord:
    points = []
    for number in range(1, POINTS + 1):
        share = number / POINTS
        loss = 6.0 - 3.0 * share - gain
        common = CommonLoss(of="masked", loss=loss, order_gain=2 * share, error=0.01, tokens=1000)
        points.append(
            ExportedPoint(
                meters=_meters(share),
                share=share,
                encoder=f"encoders/{cell.id}.{cell.key[:12]}/step-{round(STEPS * share)}",
                heldout={"mlm": loss + 0.1, "loss": loss + 0.1},
                common=common,
            )
        )
    log = [
        LoggedPoint(
            meters=_meters(number / logged),
            loss=9.0 - 6.0 * number / logged,
            terms={"mlm": 9.0 - 6.0 * number / logged},
            learning_rate=1e-3,
        )
        for number in range(1, logged + 1)
    ]
    cost = Cost(
        encoder_parameters=28_500_992,
        head_parameters=300_000,
        flops_per_step=FLOPS,
        tokens_per_second=TOKENS / SECONDS,
        peak_memory=2**30,
        memory_kind="resident set",
    )
    return PretrainRecord(**shared, config={}, steps=STEPS, cost=cost, log=log, points=points)
