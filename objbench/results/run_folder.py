"""The run folder: the one module that knows where a study's files are.

Layout of a run folder::

    plan.json                              the study, its cells and their keys
    records/<kind>/<cell id>.<key>.json    one per finished cell
    encoders/<cell id>.<key>/step-<n>/     exported encoders
    costs/<objective>.<key>.json           what a step of an objective costs, measured once
    overhead.json                          the steps of the study's objectives side by side
    checkpoints/<cell id>.<key>/           while a pretraining cell is under way
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from objbench.errors import RecordError
from objbench.results.atomic_files import write_text
from objbench.results.json_files import dump, read_stored
from objbench.results.plan import Plan, PlannedCell
from objbench.results.records import COST, RECORD, AnyRecord, Status, StoredCost
from objbench.results.step_comparison import StepComparison

_PLAN = TypeAdapter(Plan)


def read_plan(run: Path) -> Plan:
    """The plan of the run folder.

    Raises:
        RecordError: there is none, or it cannot be read.
    """
    path = run / "plan.json"
    if not path.is_file():
        raise RecordError(f"{run} holds no plan.json: name a folder made by `objbench run`")
    return read_stored(path, _PLAN)


def record_path(run: Path, kind: str, cell_id: str, key: str) -> Path:
    """Where the record of a cell lies in the run folder."""
    return run / "records" / kind / f"{cell_id}.{key[:12]}.json"


def write_record(run: Path, record: AnyRecord) -> Path:
    """Store ``record`` in its place under ``run``; returns the path."""
    path = record_path(run, record.kind, record.id, record.key)
    write_text(path, dump(record))
    return path


def read_record(path: Path) -> AnyRecord:
    """The record in ``path``.

    Raises:
        RecordError: the file is not a whole record of a schema this version reads.
    """
    return read_stored(path, RECORD)


def read_records(run: Path) -> list[AnyRecord]:
    """Every record under ``run``, sorted by file name, current or stale.

    Raises:
        RecordError: one of the files cannot be read.
    """
    kinds = sorted(path for path in (run / "records").glob("*") if path.is_dir())
    # By name within a kind: comparing whole paths takes longer than reading the files.
    return [
        read_record(kind / name)
        for kind in kinds
        for name in sorted(os.listdir(kind))
        if name.endswith(".json")
    ]


def read_cost(path: Path) -> StoredCost:
    """The cost of a step stored in ``path``.

    Raises:
        RecordError: the file cannot be read.
    """
    return read_stored(path, COST)


def finished_cells(run: Path, cells: Iterable[PlannedCell]) -> dict[str, Status]:
    """Which cells need not be run: id -> status of those with a record that did not fail.

    A diverged cell is finished too, since it would diverge again, but nothing can build on it.
    """
    finished: dict[str, Status] = {}
    for cell in cells:
        path = record_path(run, cell.kind, cell.id, cell.key)
        if path.is_file() and (status := read_record(path).status) != "failed":
            finished[cell.id] = status
    return finished


_STEP_COMPARISON = TypeAdapter(StepComparison)


def step_comparison_path(run: Path) -> Path:
    """Where the comparison of the objectives' steps is in the run folder."""
    return run / "overhead.json"


def write_step_comparison(run: Path, comparison: StepComparison) -> Path:
    """Store ``comparison`` in the run folder; returns the path."""
    path = step_comparison_path(run)
    write_text(path, dump(comparison))
    return path


def read_step_comparison(run: Path) -> StepComparison | None:
    """What is stored in the run folder; None where nothing was measured.

    Raises:
        RecordError: the file is not a whole one of a schema this version reads.
    """
    path = step_comparison_path(run)
    return read_stored(path, _STEP_COMPARISON) if path.exists() else None
