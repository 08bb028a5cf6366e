"""A made-up study whose scores can be worked out in the head.

Scores in points at the end of the budget, fine-tuning seeds (-1 and +1) averaged: cola 20, mrpc 75,
mnli 52 (50 and 54), so a mean of 49 for mlm at the first seed; every later seed adds 1 to mlm and
2 to every other objective, and every later objective adds 2. A point at a share of the budget has
20 points less times the share that is missing, and a held-out loss that is higher by it.

With trials every objective has tried that many learning rates, 0.001 and up, for half of its
budget; each is worse than the one before by a held-out loss of 0.1, and every further tuning seed
is worse by 0.5.

``measure_learning`` measures what runs learnt: a common loss of 6 less 3 times the share of the budget
spent, less 0.1 for every later objective, less 0.01 for every later seed (0.02 where the objective
is not the first; so it orders encoders as the scores do), with an order gain of twice that share; a stuck run stays at 5.2 and 0. The line
of the left neighbour is 4.5, so of three points a run that learns has learnt from the second on.

With floors, each is so many points below what mlm has at the first seed with both fine-tuning seeds:
``floors={"majority": 30, "untrained": 10}`` gives averages of 19 and 39. Every later seed adds 1 to
the untrained encoder of mlm, whose initial weights all objectives have that are not in
``own_weights``: theirs are of 2 points more.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import log
from pathlib import Path

import pytest

from objbench.contract.suite import Column, CurveValue
from objbench.results.plan import Plan, PlannedCell, PlannedObjective, PlannedSuite
from objbench.results.records import (
    Cost,
    CurveRecord,
    EvaluationRecord,
    FloorRecord,
    Plugin,
    PretrainRecord,
    Provenance,
    TrialRecord,
)
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import StudyResults, join
from objbench.results.training_points import CommonLoss, ExportedPoint, Meters

COLUMNS = {
    "cola": ("cola", {"matthews": 0.20}),
    "mrpc": ("mrpc", {"accuracy": 0.70, "f1": 0.80}),
    "mnli_m": ("mnli", {"accuracy": 0.50}),
    "mnli_mm": ("mnli", {"accuracy": 0.54}),
}
WORDS = 8103
AXES = ("steps", "tokens", "flops", "seconds")
PROVENANCE = Provenance(
    command="objbench run --objectives mlm,taco",
    versions={"torch": "2.9.0", "objbench": "0.1.0"},
    device="cpu: Test CPU",
    threads=1,
    processes=1,
    git_commit="0123abc",
    started="2026-01-01T00:00:00+00:00",
    finished="2026-01-01T00:01:00+00:00",
)
PLUGIN = Plugin(name="any", project="objbench", version="0.1.0", source="f00d")


@dataclass
class MadeStudy:
    """A plan and all of its records, to be spoilt by the test before they are written."""

    plan: Plan
    records: dict[str, PretrainRecord | TrialRecord | EvaluationRecord | CurveRecord] = field(
        default_factory=dict
    )
    lines: ReferenceLines | None = None

    def change(self, cell_id: str, **values: object) -> None:
        """Replace fields of one record."""
        self.records[cell_id] = self.records[cell_id].model_copy(update=values)

    def give_steps(self, name: str, steps: int) -> None:
        """Plan another number of steps for an objective; its runs took as many."""
        changed = [
            o.model_copy(update={"steps": steps}) if o.name == name else o
            for o in self.plan.objectives
        ]
        self.plan = self.plan.model_copy(update={"objectives": tuple(changed)})
        for cell in self.plan.cells:
            if cell.kind == "pretrain" and cell.objective == name:
                self.change(cell.id, steps=steps)

    def measure_learning(
        self, stuck: Mapping[str, Collection[int]] | None = None, of="masked"
    ) -> None:
        """Measure the common loss at every point, and the lines; ``stuck``: objective -> seeds."""
        names = [o.name for o in self.plan.objectives]
        seeds = list(dict.fromkeys(c.seed for c in self.plan.cells if c.kind == "pretrain"))
        for cell in self.plan.cells:
            record = self.records.get(cell.id)
            if cell.kind != "pretrain" or record is None:
                continue
            place, turn = names.index(cell.objective), seeds.index(cell.seed)
            is_stuck = cell.seed in (stuck or {}).get(cell.objective, ())
            points = []
            for point in record.points:
                loss = 6.0 - 3.0 * point.share - 0.1 * place - 0.01 * turn * (2 if place else 1)
                common = CommonLoss(
                    of=of,
                    loss=5.2 if is_stuck else loss,
                    order_gain=0.0 if is_stuck else 2.0 * point.share,
                    error=0.01,
                    tokens=1000,
                )
                points.append(point.model_copy(update={"common": common}))
            self.change(cell.id, points=points)
        self.lines = ReferenceLines(
            lines={
                "masked": Lines(
                    uniform=log(WORDS), unigram=6.3, bag=5.3, bigram=4.5, neighbours=3.2
                ),
                "next": Lines(uniform=log(WORDS), unigram=6.2, bag=5.9, bigram=4.5),
            },
            train_tokens=1_000_000,
            heldout_tokens=10_000,
            characters_per_token=4.2,
            key="11e5",
            provenance=PROVENANCE,
        )

    def write(self, run: Path, order: Callable[[Iterable[str]], Iterable[str]] = sorted) -> Path:
        """Write the plan and the records, the records in the given order; returns ``run``."""
        folder = RunFolder(run)
        # Records are written once, and tests write a study again that they have changed.
        folder.remove_records()
        folder.write_plan(self.plan)
        folder.write_reference_lines(self.lines)
        for cell_id in order(self.records):
            folder.write_record(self.records[cell_id])
        return run

    def results(self) -> StudyResults:
        """The plan joined with the records and the reference lines."""
        return join(self.plan, self.records.values(), self.lines)


def meters(objective: str, seed: int, share: float) -> Meters:
    steps = round({"mlm": 1200, "taco": 900}.get(objective, 1000) * share)
    flops = steps * {"mlm": 3.0e9, "taco": 4.0e9}.get(objective, 3.6e9)
    return Meters(steps=steps, tokens=steps * 2048, flops=flops, seconds=0.0625 * steps + seed)


def planned_cells(
    objectives, seeds, points, finetune, trials, tuning_seeds, floors=(), own_weights=()
):
    cells = []

    def add(kind, cell_id, **values):
        cells.append(
            PlannedCell(id=cell_id, kind=kind, key=sha256(cell_id.encode()).hexdigest(), **values)
        )

    for seed in tuning_seeds:
        for number in range(trials):
            for objective in objectives:
                own = {"objective": objective, "seed": seed, "settings": tried(number)}
                which = "" if seed == tuning_seeds[0] else f".seed-{seed}"
                add("trial", f"{objective}.trial-{number}{which}", **own)

    for objective in objectives:
        for seed in seeds:
            own = {"objective": objective, "seed": seed}
            add("pretrain", f"{objective}.seed-{seed}", **own)
            for part in range(1, points + 1):
                for ft in finetune if part == points else finetune[:1]:
                    for task in ("cola", "mrpc", "mnli"):
                        add(
                            "evaluation",
                            f"glue.{task}.{objective}.seed-{seed}.{part}of{points}.ft-{ft}",
                            suite="glue",
                            task=task,
                            finetune_seed=ft,
                            step=meters(objective, seed, part / points).steps,
                            share=part / points,
                            needs=(f"{objective}.seed-{seed}",),
                            **own,
                        )
            needs = tuple(
                c.id
                for c in cells
                if c.suite == "glue" and (c.objective, c.seed) == (objective, seed)
            )
            add(
                "curve",
                f"convergence.{objective}.seed-{seed}",
                suite="convergence",
                **own,
                needs=needs,
            )
    for floor in floors:
        is_untrained = floor == "untrained"
        for objective in (objectives[0], *(own_weights if is_untrained else ())):
            for seed in seeds if is_untrained else seeds[:1]:
                whose = f"{objective}.seed-{seed}." if is_untrained else ""
                for task in ("cola", "mrpc", "mnli"):
                    add(
                        "floor",
                        f"glue.{task}.floor-{floor}.{whose}ft-{finetune[0]}",
                        objective=objective,
                        seed=seed,
                        suite="glue",
                        task=task,
                        finetune_seed=finetune[0],
                        share=0.0,
                        floor=floor,
                    )
    return tuple(cells)


def tried(number):
    return {"training.learning_rate": 0.001 * (number + 1)}


def planned_suites(points, finetune):
    columns = tuple(
        Column(name=name, task=task, metrics=tuple(metrics), direction="max", scale=100.0)
        for name, (task, metrics) in COLUMNS.items()
    )
    yield PlannedSuite(
        name="glue",
        summary="Tasks like GLUE's.",
        version=1,
        protocol="made up: 2 epochs",
        columns=columns,
        average_label="mean of three tasks",
        average_groups=(("cola",), ("mrpc",), ("mnli_m", "mnli_mm")),
        seeds=finetune,
        missing={"wnli": "no file wnli/train.parquet"},
    )
    yield PlannedSuite(
        name="convergence",
        summary="Score along the budget.",
        version=1,
        protocol="",
        columns=tuple(
            Column(name=f"speedup_{axis}", task="", metrics=(), direction="max", scale=1.0)
            for axis in AXES
        ),
        follows="glue",
        seeds_per_point=1,
    )


def exported_point(cell, place, turn, share):
    mlm = 4.0 + turn + (1.0 - share)
    heldout = {"mlm": mlm, "loss": mlm + place}
    if place:
        heldout["tc"] = float(place)
    spend = meters(cell.objective, cell.seed, share)
    return ExportedPoint(meters=spend, share=share, encoder="e", heldout=heldout)


def record_of(plan: Plan, cell: PlannedCell, floors=()):
    place = [o.name for o in plan.objectives].index(cell.objective)
    seeds = dict.fromkeys(c.seed for c in plan.cells if c.kind == "pretrain")
    turn = 0 if cell.kind == "trial" else list(seeds).index(cell.seed)
    shared = {
        "id": cell.id,
        "key": cell.key,
        "status": "ok",
        "objective": cell.objective,
        "seed": cell.seed,
        "provenance": PROVENANCE,
        "plugin": PLUGIN,
    }
    if cell.kind == "trial":
        tuned_on = list(dict.fromkeys(c.seed for c in plan.cells if c.kind == "trial"))
        number = round(cell.settings["training.learning_rate"] / 0.001) - 1
        loss = 4.0 + 0.1 * number + 0.5 * tuned_on.index(cell.seed)
        spend = meters(cell.objective, 0, 0.5)
        point = ExportedPoint(meters=spend, share=1.0, encoder="e", heldout={"mlm": loss})
        return TrialRecord(
            **shared, config={}, steps=spend.steps, points=[point], settings=cell.settings
        )
    if cell.kind == "pretrain":
        spend = meters(cell.objective, cell.seed, 1.0)
        shares = sorted({c.share for c in plan.cells if c.kind == "evaluation"})
        return PretrainRecord(
            **shared,
            config={},
            steps=spend.steps,
            cost=Cost(
                encoder_parameters=1_234_567,
                head_parameters=16_640,
                flops_per_step=spend.flops / spend.steps,
                tokens_per_second=32768.0,
                peak_memory=512 * 2**20,
                memory_kind="resident set",
            ),
            points=[exported_point(cell, place, turn, share) for share in shares],
        )
    if cell.kind == "curve":
        values = {axis: 1.0 + place * (1.0 - 0.4 * n) for n, axis in enumerate(AXES)}
        return CurveRecord(
            **shared,
            suite=cell.suite,
            suite_version=1,
            follows="glue",
            baseline=plan.baseline,
            upstream=[],
            values={
                f"speedup_{axis}": CurveValue(value=value + 0.1 * turn * bool(place))
                for axis, value in values.items()
            },
        )
    if cell.kind == "floor":
        own = 0.01 * turn * (cell.floor == "untrained") + 0.02 * bool(place)
        return FloorRecord(
            **shared,
            **evaluated(cell, own - floors[cell.floor] / 100),
            meters=Meters(steps=0, tokens=0, flops=0.0, seconds=0.0),
            floor=cell.floor,
        )
    plus = 0.02 * place + 0.01 * turn * (2 if place else 1)
    plus += 0.01 * (2 * cell.finetune_seed - 1) - 0.2 * (1.0 - cell.share)
    return EvaluationRecord(
        **shared,
        **evaluated(cell, plus),
        meters=meters(cell.objective, cell.seed, cell.share),
    )


def evaluated(cell: PlannedCell, plus: float):
    """What an evaluation of the cell's task holds, each of the metrics of ``COLUMNS`` plus so much."""
    return {
        "suite": cell.suite,
        "suite_version": 1,
        "protocol": "made up",
        "task": cell.task,
        "finetune_seed": cell.finetune_seed,
        "share": cell.share,
        "upstream": "",
        "scores": {
            name: {metric: min(1.0, value + plus) for metric, value in metrics.items()}
            for name, (task, metrics) in COLUMNS.items()
            if task == cell.task
        },
    }


@pytest.fixture
def make_study():
    """A function that makes a complete study."""

    def make(
        objectives=("mlm", "taco"),
        seeds=(1, 2),
        points=3,
        finetune=(0, 1),
        trials=0,
        tuning_seeds=(1000,),
        schedule="linear",
        declared=(),
        floors=None,
        own_weights=(),
    ) -> MadeStudy:
        tuning = {"score": "mlm", "budget": "600-steps", "seeds": list(tuning_seeds)}
        plan = Plan(
            name="made-up",
            command="objbench run --objectives mlm,taco --suites glue,convergence",
            engine_version=1,
            study={
                "seeds": list(seeds),
                "preset": "tiny",
                "training": {"learning_rate": 0.001, "schedule": schedule, "cooldown": 0.1},
                "data": {"corpus": "toy", "length": 64},
                "tuning": tuning if trials else None,
            },
            data={"key": "abc", "vocabulary": WORDS, "corpus": {"tokens": 12_345_678}},
            baseline=objectives[0],
            budget="1200-steps",
            equalize="flops",
            objectives=tuple(
                PlannedObjective(
                    name=name,
                    summary=f"The objective {name}.",
                    reference="",
                    steps=meters(name, 0, 1.0).steps,
                    flops_per_step=meters(name, 0, 1.0).flops / meters(name, 0, 1.0).steps,
                    tokens_per_step=2048,
                    seconds_per_step=None,
                    options={"share": 0.15},
                    overrides=(tried(0) if trials else {})
                    | ({"encoder.config.initializer_range": 0.1} if name in own_weights else {}),
                )
                for name in objectives
            ),
            suites=tuple(planned_suites(points, finetune)),
            declared=declared,
            cells=planned_cells(
                objectives,
                seeds,
                points,
                finetune,
                trials,
                tuning_seeds,
                floors or (),
                own_weights,
            ),
        )
        made = MadeStudy(plan)
        made.records = {cell.id: record_of(plan, cell, floors or {}) for cell in plan.cells}
        return made

    return make
