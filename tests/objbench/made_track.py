"""A study on a track whose losses are given, in bits per character, point by point and run by run."""

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import product

from objbench.judge.track.rules import point_steps
from objbench.judge.track.track import Track, read_track
from objbench.results.plan import Plan, PlannedCell, PlannedObjective
from objbench.results.records import Cost, EvaluationRecord, Plugin, PretrainRecord, Provenance
from objbench.results.run_folder import RunFolder
from objbench.results.study_results import join
from objbench.results.training_points import CommonLoss, ExportedPoint, Meters

FLOPS = 1e9
TOY = read_track("toy")
# The target is 1.2, which lies between the fourth point and the fifth.
FALLING = (1.5, 1.4, 1.35, 1.3, 1.1, 1.0)


def provenance(device="a CPU", day=1):
    day = f"2026-01-{day:02}T00:00:00+00:00"
    return Provenance(
        command="objbench track run toy",
        versions={"objbench": "0.1.0"},
        device=device,
        threads=1,
        processes=1,
        git_commit=None,
        started=day,
        finished=day,
    )


def key_of(name: str) -> str:
    return sha256(name.encode()).hexdigest()


class TrackStudy:
    """A plan and its records, to be spoilt by a test."""

    def __init__(self, plan: Plan, records: dict[str, PretrainRecord]) -> None:
        self.plan, self.records = plan, records

    def change_plan(self, **values):
        self.plan = self.plan.model_copy(update=values)

    def change_study(self, section, **values):
        study = dict(self.plan.study)
        study[section] = {**study.get(section, {}), **values}
        self.change_plan(study=study)

    def change(self, name, **values):
        self.records[name] = self.records[name].model_copy(update=values)

    def change_points(self, name, edit):
        """Replace the points of a run by ``edit`` of them."""
        self.change(name, points=edit(list(self.records[name].points)))

    def results(self):
        return join(self.plan, self.records.values())

    def write(self, run):
        folder = RunFolder(run)
        run.mkdir(parents=True)
        folder.write_plan(self.plan)
        for record in self.records.values():
            folder.write_record(record)
        return run


def track_study(
    bits: Mapping[str, Sequence[Sequence[float]]],
    *,
    track: Track = TOY,
    steps: int = 240,
    flops: float = FLOPS,
    batch: int = 32,
    length: int = 32,
    heldout_batches: int = 16,
    **where,
) -> TrackStudy:
    """A study of ``bits``: objective -> run -> its loss at each point; a short row is a run that diverged.

    Args:
        flops: of a step; a step takes a tenth of a second.
        where: see ``provenance``.
    """
    text, cells, records = track.text, [], {}
    seeds = range(max(map(len, bits.values())))
    points = point_steps(track, steps)
    for name, runs in bits.items():
        for seed, losses in zip(seeds, runs, strict=True):
            own = f"{name}.seed-{seed}"
            # Runs of another day or budget are other runs.
            key = key_of(f"{own} {steps} {flops} {losses} {where}")
            cells.append(
                PlannedCell(id=own, kind="pretrain", key=key, objective=name, seed=seed, step=steps)
            )
            records[own] = _record(own, key, name, seed, losses, points, steps, flops, track, where)
    objectives = tuple(
        PlannedObjective(
            name=name,
            summary="",
            reference="",
            steps=steps,
            flops_per_step=flops,
            tokens_per_step=batch * length,
            seconds_per_step=None,
            options={},
        )
        for name in bits
    )
    plan = Plan(
        name="made",
        command="objbench track run toy",
        engine_version=1,
        study={
            "seeds": list(seeds),
            "data": {"corpus": "toy", "tokenizer": "train:1024", "length": length},
            "encoder": {"model_type": "modernbert"},
            "training": {"batch": batch},
            "evaluation": {
                "points": track.settings["evaluation.points"],
                "spacing": "geometric",
                "heldout_batches": heldout_batches,
            },
        },
        data={"key": text.key(length), "vocabulary": text.vocabulary},
        baseline=next(iter(bits)),
        budget=f"{steps}-steps",
        equalize="flops",
        objectives=objectives,
        suites=(),
        declared=(tuple(seeds),),
        cells=tuple(cells),
    )
    return TrackStudy(plan, records)


def add_suite(study, suite, scores):
    """Score every run by ``suite`` at every point: ``scores(objective, seed, point, column, fine-tuning seed)``.

    Args:
        scores: gives the score of a column in percent; every column is a task of its own.
    """
    cells, points = [], point_steps(TOY, 240)
    for pretrained in study.plan.cells:
        run = study.records[pretrained.id]
        for (place, step), column, seed in product(enumerate(points), suite.columns, suite.seeds):
            own = f"{suite.name}.{column.name}.{run.id}.{step}.ft-{seed}"
            shared = {"id": own, "key": key_of(own), "objective": run.objective, "seed": run.seed}
            shared |= {"suite": suite.name, "task": column.task, "finetune_seed": seed}
            shared |= {"share": step / points[-1]}
            cells.append(PlannedCell(**shared, kind="evaluation", step=step, needs=(run.id,)))
            if place < len(run.points) and run.status == "ok":
                value = scores(run.objective, run.seed, place, column.name, seed) / 100
                study.records[own] = EvaluationRecord(
                    **shared,
                    status="ok",
                    provenance=run.provenance,
                    plugin=run.plugin,
                    suite_version=suite.version,
                    protocol=suite.protocol,
                    meters=run.points[place].meters,
                    upstream="",
                    scores={column.name: {column.metrics[0]: value}},
                )
    study.change_plan(suites=(suite,), cells=(*study.plan.cells, *cells))


def _record(own, key, name, seed, losses, planned, steps, flops, track, where):
    nats = math.log(2) * track.text.characters_per_token
    points = [
        ExportedPoint(
            meters=Meters(steps=point, tokens=point, flops=point * flops, seconds=0.1 * point),
            share=point / steps,
            encoder="e",
            heldout={"mlm": loss * nats},
            common=CommonLoss(
                of="masked",
                loss=loss * nats,
                order_gain=0.1,
                error=0.01,
                tokens=track.measurement.predicted,
            ),
        )
        for point, loss in zip(planned, losses, strict=False)
    ]
    return PretrainRecord(
        id=own,
        key=key,
        status="ok" if len(losses) == len(planned) else "diverged",
        objective=name,
        seed=seed,
        provenance=provenance(**where),
        made_from=dict(track.text.digests),
        plugin=Plugin(name=name, project="objbench", version="0.1.0", source="f00d"),
        config={},
        steps=steps,
        cost=Cost(
            encoder_parameters=1000,
            head_parameters=10,
            flops_per_step=flops,
            tokens_per_second=100.0,
            peak_memory=1,
            memory_kind="resident set",
        ),
        points=points,
    )
