"""The forecast of a study, or of what a run folder lacks of it: ``objbench plan``.

Neither the corpus nor the tasks need be at hand; what is assumed of them is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from objbench.engine.measuring.fake_network import Planned
from objbench.engine.training.schedule import plan_route
from objbench.judge.formatting import memory
from objbench.plugins.registry import Registry
from objbench.results.evaluation_points import export_steps
from objbench.results.plan import PlannedCell
from objbench.results.step_cost import StepCost
from objbench.runs.forecast.devices import (
    CPU,
    Device,
    available_memory,
    currency,
    device_names,
    named_device,
    table_date,
)
from objbench.runs.forecast.disk import disk_of
from objbench.runs.forecast.evaluation_times import planned_tasks, timed, works_of
from objbench.runs.forecast.expected_seconds import MeasuredSeconds, Seconds, table_seconds
from objbench.runs.forecast.expected_steps import ExpectedStep, expected_steps, vocabulary_size
from objbench.runs.forecast.forecast import KINDS, Forecast, Price, lines_of
from objbench.runs.forecast.forecast_values import Pretraining
from objbench.runs.forecast.made_up_jobs import measured_steps, takes_too_long
from objbench.runs.forecast.memory_fit import does_not_fit, needed
from objbench.runs.forecast.seeds import seeds_line
from objbench.runs.planning.cell_count import CellCounts, count_cells, require_countable
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.planner import planned_steps, require_points
from objbench.runs.planning.teachers import training_order
from objbench.runs.rehearsal import rehearse_models
from objbench.study.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a plan beside the study.

    Attributes:
        device: a name of the table of devices, or a torch device; None for this machine.
        jobs: cells at a time, each with a device or with cores of its own.
        threads: of each cell where it is measured here; None for those that torch uses.
        price: of an hour; None for the table's.
        difference, deviation: as for ``seeds.seeds_line``.
        has_corpus: whether the study names its text.
        done: cells of the study that need not be run again.
    """

    device: str | None = None
    jobs: int = 1
    threads: int | None = None
    price: float | None = None
    difference: float | None = None
    deviation: float | None = None
    has_corpus: bool = True
    done: Sequence[PlannedCell] = ()


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the study is planned to run: a row of the table, or a torch device that is here."""

    row: Device | None
    here: str | None
    planned: Planned

    @property
    def room(self) -> float:
        """Bytes of its memory."""
        if self.row is not None:
            return self.row.bytes
        if self.planned == "cpu":
            return available_memory()
        import torch

        return float(torch.cuda.get_device_properties(self.here).total_memory)


def plan_ahead(study: Study, registry: Registry, asked: Asked) -> list[str]:
    """The lines of ``objbench plan``.

    Raises:
        ObjbenchError: the study cannot be run.
    """
    return lines_of(forecast_ahead(study, registry, asked))


def forecast_ahead(study: Study, registry: Registry, asked: Asked) -> Forecast:
    """The forecast of a study, from shapes and, on this machine, some steps on made-up text.

    Raises:
        ObjbenchError: the study cannot be run.
    """
    plugins = configure_plugins(study, registry)
    require_countable(study, plugins, planned_tasks)
    training_order(plugins)
    rehearse_models(study, plugins)
    words, target = vocabulary_size(study), _target(asked.device)
    steps = expected_steps(study, plugins, words, target.planned)
    of_step, seconds = _seconds(study, plugins, words, target, steps, asked.threads)
    costs = {
        name: StepCost(tokens=step.tokens, flops=step.flops, seconds=of_step[name])
        for name, step in steps.items()
    }
    counts = count_cells(study, plugins, planned_tasks).without(asked.done)
    pretrainings = _pretrainings(study, steps, costs, counts)
    works = works_of(study, plugins)
    of_tasks = counts.tasks("evaluation", "trial_evaluation", "untrained")
    kinds = counts.kinds
    assumed = _assumed(study, asked, words)
    assumed += [*dict.fromkeys(work.assumed for work in works.values() if work and work.assumed)]
    if target.row is not None and target.planned == "cuda":
        assumed.append("one GPU; its speed and its memory are estimates that no GPU has confirmed")
    return Forecast(
        cells={kind: kinds[kind] for kind in KINDS},
        pretrainings=pretrainings,
        evaluations=timed(of_tasks, works, seconds.of_evaluation),
        floors=counts.tasks("floor").total(),
        jobs=asked.jobs,
        by=seconds.words,
        disk=disk_of(
            pretrainings,
            words=words,
            log_every=study.training.log_every,
            jobs=asked.jobs,
            evaluations=kinds["evaluation"] + kinds["trial_evaluation"] + kinds["floor"],
            curves=kinds["curve"],
            forks=study.training.schedule == "trunk",
        ),
        price=_price(asked, target),
        memory=_memory(plugins, {o.objective: steps[o.objective] for o in pretrainings}, target),
        seeds=seeds_line(len(study.seeds), asked.difference, asked.deviation),
        assumed=assumed,
        done=len(asked.done),
    )


def _target(device: str | None) -> _Target:
    if device in device_names():
        return _Target(named_device(str(device)), None, "cpu" if device == CPU else "cuda")
    import torch

    here = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return _Target(None, here, "cuda" if here.startswith("cuda") else "cpu")


def _seconds(
    study: Study,
    plugins: ConfiguredPlugins,
    words: int,
    target: _Target,
    steps: Mapping[str, ExpectedStep],
    threads: int | None,
) -> tuple[Mapping[str, float], Seconds]:
    """(objective -> seconds of a step, what says how long evaluations take)."""
    row, precision = target.row, study.training.precision
    if (
        row is None
        and target.planned == "cpu"
        and takes_too_long(sum(step.computed for step in steps.values()), precision)
    ):
        row = named_device(CPU)
    if row is not None:
        table = table_seconds(row, study, words)
        return {name: table.of_step(step) for name, step in steps.items()}, table
    here = str(target.here)
    measured = MeasuredSeconds(here, study, words, threads)
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        return measured_steps(study, plugins, words, here), measured
    finally:
        torch.set_num_threads(before)


def _pretrainings(
    study: Study,
    steps: Mapping[str, ExpectedStep],
    costs: Mapping[str, StepCost],
    counts: CellCounts,
) -> list[Pretraining]:
    found = []
    budgets = [(study.budget, "pretrain", study.evaluation.points)]
    if study.tuning is not None:
        budgets.insert(0, (study.tuning.budget or study.budget, "trial", 1))
    for budget, kind, points in budgets:
        own = planned_steps(study, budget, costs, 1)
        if points == study.evaluation.points:
            require_points(study, own)
        for name, step in steps.items():
            runs = counts.of[kind, name, ""]
            if not runs:
                continue
            exports = export_steps(own[name], points, study.evaluation.spacing)
            found.append(
                Pretraining(
                    objective=name,
                    runs=runs,
                    steps=own[name],
                    route_steps=plan_route(own[name], exports, step.training).total,
                    flops=costs[name].flops,
                    tokens=costs[name].tokens,
                    seconds=costs[name].seconds,
                    exports=len(exports),
                    heldout_batches=study.evaluation.heldout_batches,
                    exported_parameters=step.shape.exported_parameters,
                    trained_parameters=step.shape.trained_parameters,
                    is_trial=kind == "trial",
                )
            )
    return found


def _memory(
    plugins: ConfiguredPlugins,
    steps: Mapping[str, ExpectedStep],
    target: _Target,
) -> list[str]:
    """A line for each step that does not fit; if all do, one for the largest; none without steps."""
    if not steps:
        return []
    room, planned = target.room, target.planned
    lines = [
        does_not_fit(
            name,
            step.peak,
            step.training,
            planned,
            room,
            plugins.objectives[name][0].across_sequences,
        )
        for name, step in steps.items()
    ]
    if any(lines):
        return [f"does not fit: {line}" for line in lines if line]
    of = {name: step.peak(step.training.micro_batches) for name, step in steps.items()}
    largest = max(of, key=lambda name: of[name])
    wanted = memory(needed(of[largest], planned))
    return [f"memory: a step of {largest} needs about {wanted}, which fits ({memory(room)})"]


def _price(asked: Asked, target: _Target) -> Price | None:
    measured = target.row is None
    if asked.price is not None:
        return Price(
            low=asked.price,
            high=asked.price,
            currency=currency(),
            source="as given",
            measured=measured,
        )
    if target.row is None:
        return None
    low, high = target.row.price
    source = f"remembered, not looked up, {table_date()}"
    return Price(low=low, high=high, currency=currency(), source=source, measured=False)


def _assumed(study: Study, asked: Asked, words: int) -> list[str]:
    kind = "at most " if study.data.tokenizer.startswith("train:") else ""
    found = [f"a vocabulary of {kind}{words:,} words"]
    if not asked.has_corpus:
        found.append("no corpus is named, so its tokens are not among the bytes on disk")
    elif not Path(study.data.corpus).exists():
        found.append("the corpus is not read, so its tokens are not among the bytes on disk")
    return found
