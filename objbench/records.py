"""Records: one JSON file per finished cell, and the plan that says which cells there should be.

Records are the border between computing and judging. Everything the leaderboard prints is read
from here, by name and type, and nothing else is: no torch, no plugin, no registry. A file is
written under a temporary name and renamed, so a record is whole or absent.

Layout of a run folder::

    plan.json                              the study, its cells and their keys
    records/<kind>/<cell id>.<key>.json    one per finished cell
    encoders/<cell id>.<key>/step-<n>/     exported encoders
    costs/<objective>.<key>.json           what a step of an objective costs, measured once
    checkpoints/<cell id>.<key>/           while a pretraining cell is under way

A record whose key is not in the plan is stale: its code, data or settings have changed since.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from objbench.errors import RecordError

SCHEMA_VERSION = 1

Status = Literal["ok", "failed", "diverged"]


class Stored(BaseModel):
    """A strict, immutable model that is stored as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Meters(Stored):
    """What had been spent at a point: the four axes of every comparison.

    Attributes:
        steps: optimizer steps.
        tokens: non-padding tokens seen, summed over processes.
        flops: training FLOPs (forward and backward), by the convention of ``engine.flops``.
        seconds: device seconds of training; evaluation, checkpoints and warm-up not counted.
    """

    steps: int
    tokens: int
    flops: float
    seconds: float


class LoggedPoint(Stored):
    """A point of the training log."""

    meters: Meters
    loss: float
    terms: dict[str, float]
    learning_rate: float


class ExportedPoint(Stored):
    """An encoder exported along the budget.

    Attributes:
        meters: the spend at the export.
        share: share of the cell's own budget spent.
        encoder: folder relative to the run folder.
        heldout: mean of each term on the held-out text, and "loss", their weighted sum.
    """

    meters: Meters
    share: float
    encoder: str
    heldout: dict[str, float]


class Provenance(Stored):
    """Where and with what a record was made."""

    command: str
    versions: dict[str, str]
    device: str
    threads: int
    processes: int
    git_commit: str | None
    started: str
    finished: str


class Plugin(Stored):
    """The plugin a cell was run with."""

    name: str
    project: str
    version: str
    source: str


class CellRecord(Stored):
    """What all records share."""

    schema_version: int = SCHEMA_VERSION
    id: str
    key: str
    status: Status
    reason: str = ""
    objective: str
    seed: int
    provenance: Provenance


class Cost(Stored):
    """What an objective's pretraining takes.

    Attributes:
        encoder_parameters, head_parameters: counts.
        flops_per_step: training FLOPs of one optimizer step.
        tokens_per_second: non-padding tokens per device second, all processes.
        peak_memory: bytes; ``memory_kind`` says of what.
    """

    encoder_parameters: int
    head_parameters: int
    flops_per_step: float
    tokens_per_second: float
    peak_memory: int
    memory_kind: str


class PretrainRecord(CellRecord):
    """One objective pretrained with one seed."""

    kind: Literal["pretrain"] = "pretrain"
    plugin: Plugin
    config: dict[str, Any]
    steps: int
    cost: Cost | None = None
    log: list[LoggedPoint] = Field(default_factory=list)
    points: list[ExportedPoint] = Field(default_factory=list)


class EvaluationRecord(CellRecord):
    """One exported encoder evaluated on one task with one fine-tuning seed."""

    kind: Literal["evaluation"] = "evaluation"
    plugin: Plugin
    suite: str
    suite_version: int
    protocol: str
    task: str
    finetune_seed: int
    meters: Meters
    share: float
    upstream: str
    max_train_samples: int | None = None
    scores: dict[str, dict[str, float]] = Field(default_factory=dict)
    train_examples: int = 0
    eval_examples: dict[str, int] = Field(default_factory=dict)
    seconds: float = 0.0
    details: dict[str, Any] = Field(default_factory=dict)


class CurveEntry(Stored):
    """One value of a curve suite; ``value`` is None where ``note`` says why."""

    value: float | None
    note: str = ""


class CurveRecord(CellRecord):
    """One objective's curve against the baseline's, for one pretraining seed."""

    kind: Literal["curve"] = "curve"
    plugin: Plugin
    suite: str
    suite_version: int
    follows: str
    baseline: str
    upstream: list[str]
    values: dict[str, CurveEntry] = Field(default_factory=dict)


Record = Annotated[PretrainRecord | EvaluationRecord | CurveRecord, Field(discriminator="kind")]
_RECORD: TypeAdapter[PretrainRecord | EvaluationRecord | CurveRecord] = TypeAdapter(Record)


class PlannedCell(Stored):
    """One cell of the plan.

    Attributes:
        id: readable and unique within the plan, such as "glue.cola.taco.seed-1.step-2400.ft-0".
        key: hash of all that determines the cell's result.
        share: share of the budget at which the evaluated encoder was exported; 1 for the final.
        needs: ids of the cells it reads.
    """

    id: str
    kind: Literal["pretrain", "evaluation", "curve"]
    key: str
    objective: str
    seed: int
    suite: str = ""
    task: str = ""
    finetune_seed: int = 0
    step: int = 0
    share: float = 1.0
    needs: tuple[str, ...] = ()


class PlannedColumn(Stored):
    """A column of a suite as the leaderboard prints it; see ``suite.Column``."""

    name: str
    task: str
    metrics: tuple[str, ...]
    direction: Literal["max", "min"]
    scale: float


class PlannedSuite(Stored):
    """A suite as the leaderboard needs to know it.

    Attributes:
        follows: the suite a curve suite follows; "" for an evaluating suite.
        seeds_per_point: fine-tuning seeds of a curve's points; 0 for an evaluating suite.
        average_groups: see ``suite.Average``.
    """

    name: str
    summary: str
    version: int
    protocol: str
    columns: tuple[PlannedColumn, ...]
    average_label: str = ""
    average_groups: tuple[tuple[str, ...], ...] = ()
    direction: Literal["max", "min"] = "max"
    seeds: tuple[int, ...] = ()
    missing: dict[str, str] = Field(default_factory=dict)
    follows: str = ""
    seeds_per_point: int = 0


class PlannedObjective(Stored):
    """An objective's share of the budget, frozen to a number of steps.

    Attributes:
        steps: optimizer steps it may take.
        flops_per_step: counted on the real step.
        tokens_per_step: non-padding tokens of a batch.
        seconds_per_step: calibrated once; None where no time enters the budget.
        options: its hyperparameters in full.
    """

    name: str
    summary: str
    reference: str
    steps: int
    flops_per_step: float
    tokens_per_step: int
    seconds_per_step: float | None
    options: dict[str, Any]


class Plan(Stored):
    """A study as planned: written before the first cell runs.

    Attributes:
        study: every setting of the study (see ``study.Study``).
        data: fingerprints and sizes of the corpus and tokenizer.
        baseline: the objective that sets the budget, the first named.
    """

    schema_version: int = SCHEMA_VERSION
    name: str
    command: str
    engine_version: int
    study: dict[str, Any]
    data: dict[str, Any]
    baseline: str
    budget: str
    equalize: str
    objectives: tuple[PlannedObjective, ...]
    suites: tuple[PlannedSuite, ...]
    cells: tuple[PlannedCell, ...]


class StoredCost(Stored):
    """What a step of an objective was found to cost; see ``budget.StepCost``."""

    tokens: float
    flops: float
    seconds: float | None


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` under a temporary name in its folder, sync it, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a record is as readable as any other file.
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def dump(model: BaseModel) -> str:
    """``model`` as stable, readable JSON text; a number that is not finite is a bug."""
    return (
        json.dumps(model.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"
    )


def record_path(run: Path, kind: str, cell_id: str, key: str) -> Path:
    """Where the record of a cell lies in the run folder."""
    return run / "records" / kind / f"{cell_id}.{key[:12]}.json"


def write_record(run: Path, record: PretrainRecord | EvaluationRecord | CurveRecord) -> Path:
    """Store ``record`` in its place under ``run``; returns the path."""
    path = record_path(run, record.kind, record.id, record.key)
    write_text(path, dump(record))
    return path


def read_record(path: Path) -> PretrainRecord | EvaluationRecord | CurveRecord:
    """The record in ``path``.

    Raises:
        RecordError: the file is not a whole record of a schema this version reads.
    """
    return _parse(path, _RECORD.validate_json)


def read_records(run: Path) -> list[PretrainRecord | EvaluationRecord | CurveRecord]:
    """Every record under ``run``, sorted by file name, current or stale.

    Raises:
        RecordError: one of the files cannot be read.
    """
    return [read_record(path) for path in sorted((run / "records").glob("*/*.json"))]


def read_plan(run: Path) -> Plan:
    """The plan of the run folder.

    Raises:
        RecordError: there is none, or it cannot be read.
    """
    path = run / "plan.json"
    if not path.is_file():
        raise RecordError(f"{run} holds no plan.json: name a folder made by `objbench run`")
    return _parse(path, Plan.model_validate_json)


def read_cost(path: Path) -> StoredCost:
    """The cost of a step stored in ``path``.

    Raises:
        RecordError: the file cannot be read.
    """
    stored: StoredCost = _parse(path, StoredCost.model_validate_json)
    return stored


def _parse(path: Path, parse: Any) -> Any:
    try:
        return parse(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecordError(
            f"{path} is corrupted or of another version: {where}: {first['msg']}; "
            "delete it and run the study again to make it anew"
        ) from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
