"""A study that fills every field of every stored model, and what strangers may put into them.

The fields are found by walking the models, so that a new one is tried by itself; ``unfilled`` names
those that the study leaves empty.
"""

import json
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from math import log
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from objbench.contract.suite import Column, CurveValue
from objbench.results.phase_costs import PhaseCost
from objbench.results.plan import Plan
from objbench.results.realised_rate import RealisedRate
from objbench.results.records import (
    RECORD,
    CurveRecord,
    EvaluationRecord,
    FloorRecord,
    PretrainRecord,
    Provenance,
    TrialEvaluationRecord,
    TrialRecord,
)
from objbench.results.reference_lines import Lines, ReferenceLines
from objbench.results.step_comparison import ComparedStep, StepComparison
from objbench.results.step_cost import StepCost
from objbench.results.stored_examples import PackedValues, StoredExamples
from objbench.results.training_points import CommonLoss, LoggedPoint

MODELS = (
    Plan,
    PretrainRecord,
    TrialRecord,
    EvaluationRecord,
    TrialEvaluationRecord,
    FloorRecord,
    CurveRecord,
    StepCost,
    StepComparison,
    ReferenceLines,
)
FREE = {"study", "data", "options", "overrides", "settings", "config", "details"}
"""Fields without a schema: whatever a plugin or a study file says."""

MARKUP = (
    "$x$ <script>alert(1)</script><img src=x onerror=y> ![a](http://evil/x.png) "
    "[b](javascript:alert(1)) [c]: http://evil ``` `d` | e | <!-- f --> ]]> ../../g /etc/passwd"
)
HOSTILE = f"# h\x00\x1b[31m\x9b\u202e\u2066\ufeff\r\n\n# pwned\n```\n---\n{MARKUP}\u2028"
HEX = "0123456789abcdef"

Place = tuple[str | int, ...]


def whole_study(make_study):
    """``make_study``'s study of trials and curves with nothing left empty, and its other files."""
    study = make_study(trials=2, points=2, declared=((1,), (2,)))
    rate = RealisedRate(declared=0.15, predicted=0.148, tokens=10_000)
    objectives = [
        o.model_copy(
            update={
                "seconds_per_step": 0.5,
                "teachers": ("mlm",),
                "rate": rate,
                "across_sequences": "compares",
                "reference": "a paper",
                "overrides": {"training.learning_rate": 0.001},
            }
        )
        for o in study.plan.objectives
    ]
    first = next(cell for cell in study.plan.cells if cell.kind == "evaluation")
    scored = first.model_copy(
        update={"kind": "trial_evaluation", "id": "scored", "key": HEX, "settings": {"a": 1}}
    )
    floor = first.model_copy(
        update={"kind": "floor", "id": "floor", "key": HEX, "floor": "majority", "needs": ()}
    )
    study.plan = study.plan.model_copy(
        update={
            "objectives": tuple(objectives),
            "cells": (*study.plan.cells, scored, floor),
            "looks": (5, 10),
            "suites": tuple(
                s.model_copy(update={"protocol": "by hand"}) for s in study.plan.suites
            ),
        }
    )
    fields = study.records[first.id].model_dump() | {
        "kind": "trial_evaluation",
        "id": "scored",
        "key": HEX,
    }
    study.records["scored"] = TrialEvaluationRecord.model_validate(fields)
    of_floor = {"kind": "floor", "id": "floor", "floor": "majority"}
    study.records["floor"] = FloorRecord.model_validate(fields | of_floor)
    made_from = {"encoder": HEX}
    for name, record in study.records.items():
        more: dict[str, Any] = {"made_from": made_from, "reason": "why"}
        if isinstance(record, PretrainRecord):
            point = record.points[0]
            log = LoggedPoint(
                meters=point.meters, loss=1.0, terms={"mlm": 1.0}, learning_rate=0.001
            )
            common = CommonLoss(of="masked", loss=4.0, order_gain=0.5, error=0.1, tokens=1000)
            whole = {"digest": HEX, "common": common}
            sealed = [p.model_copy(update=whole) for p in record.points]
            more |= {
                "log": [log],
                "points": sealed,
                "teachers": {"mlm": HEX},
                "config": {"a": "b"},
            }
        elif isinstance(record, EvaluationRecord):
            column, metrics = next(iter(record.scores.items()))
            packed = {
                metric: PackedValues(bits=1, levels=(value,), codes="AA==")
                for metric, value in metrics.items()
            }
            more |= {
                "max_train_samples": 10,
                "eval_examples": {column: 3},
                "examples": {column: StoredExamples(of=HEX, every=1, metrics=packed)},
                "official_examples": {"cola": 1043},
                "details": {"a": ["b", 1.5]},
                "unscored": {"other": "too few"},
                "upstream": HEX,
            }
        else:
            values = {k: CurveValue(v.value, "a note") for k, v in record.values.items()}
            more |= {"values": values, "upstream": [HEX]}
        study.change(name, **more)
    return study


def step_cost():
    rate = RealisedRate(declared=0.15, predicted=0.148, tokens=10_000)
    phases = (PhaseCost(mode="only", share=1.0, flops_per_step=1e9),)
    return StepCost(tokens=100.0, flops=1e9, seconds=0.5, rate=rate, phases=phases)


def step_comparison(study):
    origin = next(iter(study.records.values())).provenance
    steps = [
        ComparedStep(
            objective=o.name,
            seconds=0.5,
            shortest=0.4,
            longest=0.6,
            flops=o.flops_per_step,
            peak_memory=10,
            memory_kind="resident set",
        )
        for o in study.plan.objectives
    ]
    return StepComparison(
        baseline="mlm",
        objectives=tuple(steps),
        repetitions=3,
        cost_keys={o.name: HEX for o in study.plan.objectives},
        provenance=Provenance.model_validate(origin.model_dump()),
    )


def reference_lines(study):
    uniform = log(study.plan.data["vocabulary"])
    lines = Lines(uniform=uniform, unigram=6.3, bag=5.8, bigram=4.5, neighbours=3.1)
    return ReferenceLines(
        lines={"masked": lines, "next": lines.model_copy(update={"neighbours": None})},
        train_tokens=1_000_000,
        heldout_tokens=10_000,
        characters_per_token=4.2,
        key=HEX,
        special=(0, 1),
        provenance=next(iter(study.records.values())).provenance,
    )


def stored(model: BaseModel) -> Any:
    """What is in the file of a model."""
    return json.loads(model.model_dump_json())


def adapter(model: BaseModel) -> TypeAdapter[Any]:
    """What reads the file of a model."""
    known = next(
        (k for k in (Plan, StepCost, StepComparison, ReferenceLines) if type(model) is k), None
    )
    return RECORD if known is None else TypeAdapter(known)


def named(model: type) -> dict[str, Any]:
    """The fields of a stored class with their types."""
    if issubclass(model, BaseModel):
        return {name: field.annotation for name, field in model.model_fields.items()}
    return {field.name: field.type for field in dataclass_fields(model)}


def classes(kind: Any) -> Iterator[type]:
    """The stored classes that a type mentions, and those that these mention."""
    if isinstance(kind, type) and (issubclass(kind, BaseModel) or kind in (Column, CurveValue)):
        yield kind
        for inner in named(kind).values():
            yield from classes(inner)
    for inner in get_args(kind):
        yield from classes(inner)


def leaves(value: Any, place: Place = (), field: tuple[str, str] = ("", "")) -> Iterator[Any]:
    """Every text and number of a model: its place in the file, "class" and "field", and itself."""
    if isinstance(value, BaseModel) or is_dataclass(value):
        for name in named(type(value)):
            yield from leaves(getattr(value, name), (*place, name), (type(value).__name__, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*place, name), field)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*place, number), field)
    elif value not in (None, ""):
        yield place, field, value


def unfilled(models: list[Any]) -> set[tuple[str, str]]:
    """The fields of stored classes of which none of ``models`` has a value."""
    filled = {field for model in models for _, field, _ in leaves(model)}
    known = {
        (kind.__name__, name)
        for model in MODELS
        for kind in classes(model)
        for name, inner in named(kind).items()
        if not any(classes(inner))
    }
    return known - filled


def put(fields: Any, place: Place, value: Any) -> Any:
    """A copy of ``fields`` with another value at ``place``."""
    copy = json.loads(json.dumps(fields))
    at = copy
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    return copy
