"""The rules of a track: what a study must be for its recipes to be ranked, one line for each fault.

A study that was made by `objbench track run` keeps them by itself; any other study of the same text may
keep them too. Everything is read from plan and records, which may be a stranger's. That the records are
those of the plan, and possible at all, is for ``results.submissions``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from objbench.errors import one_line
from objbench.judge.formatting import count
from objbench.judge.track.track import Track
from objbench.results.evaluation_points import export_steps
from objbench.results.plan import Plan, PlannedObjective
from objbench.results.records import PretrainRecord
from objbench.results.study_results import StudyResults
from objbench.results.submissions.record_faults import missing
from objbench.results.submissions.statement import declared

# Masks depend on the batch, and with them a little how many tokens are hidden.
_PREDICTED = 0.05
# The text is known by its digests, wherever it is.
_BY_DIGEST = ("data.corpus", "data.tokenizer")


def study_faults(track: Track, results: StudyResults) -> Iterator[str]:
    """What is wrong with all recipes of a study, one line each."""
    plan = results.plan
    yield from _declared(track, plan)
    yield from _fixed(track, plan)
    yield from _text(track, results)


def recipe_faults(track: Track, results: StudyResults, objective: str) -> Iterator[str]:
    """What is wrong with one recipe of a study, one line each."""
    planned = next(item for item in results.plan.objectives if item.name == objective)
    if planned.teachers:
        yield (
            f"{objective} learns from {', '.join(planned.teachers)}, and what a teacher has cost is in "
            "no clock"
        )
    yield from _batch(track, results.plan, planned)
    for seed in results.seeds:
        name = results.pretraining.get((objective, seed), "")
        record = results.records.get(name)
        if not isinstance(record, PretrainRecord):
            yield f"{name or f'seed {seed} of {objective}'} has no record: run the study to its end"
        elif record.status == "failed":
            yield f"{name} failed: run the study to its end"
        else:
            yield from _run(track, record)


def unfinished(results: StudyResults) -> Iterator[str]:
    """That trials or evaluations of a study are still to be done, in one line; none where none are.

    A pretraining without a record is a fault of its recipe.
    """
    lines = missing(results.plan, results.records)
    left = [line for line in lines if not line.startswith("pretrain ")]
    if left:
        more = f", and {len(left) - 1} more like it" if len(left) > 1 else ""
        yield f"{left[0]}{more}: run the study to its end"


def point_steps(track: Track, steps: int) -> list[int]:
    """The steps after which a run of ``steps`` is evaluated."""
    settings = track.settings
    return export_steps(steps, settings["evaluation.points"], settings["evaluation.spacing"])


def _declared(track: Track, plan: Plan) -> Iterator[str]:
    rows = [row for row in declared(plan) if row]
    if len(rows) > 1:
        yield (
            f"its seeds were declared {len(rows)} times: a recipe is judged by seeds that were all "
            "declared before the first was run"
        )
    seeds = {seed for row in rows for seed in row}
    if len(seeds) < track.seeds:
        yield f"it declares {count(len(seeds), 'seed')}, and the track needs {track.seeds}"
    run = {cell.seed for cell in plan.cells if cell.kind == "pretrain"}
    for seed in sorted(seeds - run):
        yield f"seed {seed} was declared and is not in the plan"
    if plan.looks not in ((), (len(seeds),)):
        yield (
            f"it declares looks at {', '.join(map(str, plan.looks))} seeds: a recipe is judged once, at "
            "all of its seeds"
        )


def _fixed(track: Track, plan: Plan) -> Iterator[str]:
    for place, value in track.settings.items():
        found = _setting(plan.study, place)
        if place not in _BY_DIGEST and found != value:
            yield f"its {place} is {_shown(found)}, and the track fixes {_shown(value)}"
    if plan.asked.encoder.init:
        yield "its runs continue from a checkpoint, and what that has cost is in no clock"


def _batch(track: Track, plan: Plan, planned: PlannedObjective) -> Iterator[str]:
    """How much held-out text is scored, by the batch of one recipe."""
    for place, value in planned.overrides.items():
        wanted = track.settings.get(place, value)
        if value != wanted:
            yield (
                f"the {place} of {planned.name} is {_shown(value)}, and the track fixes "
                f"{_shown(wanted)}"
            )
    if "evaluation.heldout_batches" in track.settings:
        return
    batch = planned.overrides.get("training.batch", _setting(plan.study, "training.batch"))
    others = (
        _setting(plan.study, place) for place in ("data.length", "evaluation.heldout_batches")
    )
    sizes = [batch, *others]
    if not all(type(size) is int and size > 0 for size in sizes):
        yield f"{planned.name}: its plan does not say how much held-out text was scored"
    elif math.prod(sizes) != track.measurement.tokens:
        yield (
            f"{planned.name}: batch x length x evaluation.heldout_batches is {math.prod(sizes):,} tokens "
            f"of held-out text, and the track scores {track.measurement.tokens:,}"
        )


def _text(track: Track, results: StudyResults) -> Iterator[str]:
    plan = results.plan
    length = _setting(plan.study, "data.length")
    if type(length) is not int or plan.data.get("key") != track.text.key(length):
        yield "its text or tokenizer is not the track's: the key of its data is another"
    if plan.data.get("vocabulary") != track.text.vocabulary:
        yield f"its tokenizer does not have the {track.text.vocabulary:,} tokens of the track's"
    for part, digest in track.text.digests.items():
        for name in results.pretraining.values():
            record = results.records.get(name)
            found = None if record is None else record.made_from.get(part)
            if record is not None and found != digest:
                what = "has no digest" if found is None else f"is {found[:12]}..."
                yield f"the {part} text of {name} {what}, not the track's {digest[:12]}..."
                break


def _run(track: Track, record: PretrainRecord) -> Iterator[str]:
    """What is wrong with one finished run; one that diverged has the points up to there."""
    wanted = point_steps(track, record.steps)
    found = [point.meters.steps for point in record.points]
    is_whole = found == wanted if record.status == "ok" else found == wanted[: len(found)]
    if not is_whole:
        yield (
            f"{record.id} was evaluated after {_listed(found)} steps, and the track's evaluation points are after "
            f"{_listed(wanted)}"
        )
    if any(point.meters.seconds <= 0 or point.meters.flops <= 0 for point in record.points):
        yield f"{record.id}: an evaluation point has no FLOPs or no seconds"
    kinds = {point.common.of if point.common else "nothing" for point in record.points}
    if kinds - {"masked"}:
        yield (
            f"{record.id} was measured by the loss of {_shown(min(kinds - {'masked'}))} tokens: the "
            "track's target is one of masked tokens"
        )
        return
    wanted_tokens = track.measurement.predicted
    for point in record.points:
        tokens = point.common.tokens if point.common else 0
        if abs(tokens - wanted_tokens) > _PREDICTED * wanted_tokens:
            yield (
                f"{record.id}: {tokens:,} tokens were predicted at step {point.meters.steps}, and about "
                f"{wanted_tokens:,} in the track"
            )
            return


def _setting(study: Mapping[str, Any], place: str) -> Any:
    """The setting at a dotted place; None where there is none."""
    value: Any = study
    for part in place.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shown(value: object) -> str:
    return one_line(value)[:60]


def _listed(steps: list[int]) -> str:
    shown = [f"{step:,}" for step in steps[:12]]
    return " ".join([*shown, *["..."] * (len(steps) > 12)]) or "no"
