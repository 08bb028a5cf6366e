"""A published study: its plan and records as canonical JSON lines, made to be committed.

Layout of the folder, beside the page and its pictures::

    plan.json      the study as planned, one cell per line
    sources.json   what the records refer to by number, and the SHA-256 of each .jsonl file
    <kind>.jsonl   the records of one kind (pretrain, trial, evaluation, ...)
    logs.jsonl     the training logs, which would make lines of 50 kB in pretrain.jsonl
    overhead.json  the objectives' steps compared, if they were measured
    lines.json     losses that counts alone reach on the held-out text, if they were measured

Three fields of a record are numbers of rows in ``sources.json``, from 0: ``plugin``, ``protocol``
and, in ``provenance``, ``origin``. Rows are numbered in the order in which they were first used, so
those of later runs come last. ``log``, where there is one, is the number of points of the record's
log in ``logs.jsonl``. ``canonical_lines`` says what a line looks like.
The other files hold the SHA-256 of their own content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from objbench.errors import ConfigError, RecordError, one_line
from objbench.results.atomic_files import write_text
from objbench.results.canonical_lines import (
    AGAIN,
    Fields,
    Identity,
    by_rows,
    canonical_line,
    digest,
    identity,
    read_lines,
)
from objbench.results.foreign_values import Key, Name, Text
from objbench.results.json_files import (
    SCHEMA_VERSION,
    SchemaVersion,
    Stored,
    fault,
    read_stored,
    sealed,
)
from objbench.results.plan import Plan
from objbench.results.records import RECORD, AnyRecord, Origin, Plugin
from objbench.results.run_folder import RunFolder
from objbench.results.training_points import LogApart

KINDS = ("curve", "evaluation", "floor", "pretrain", "trial", "trial_evaluation")
LOGS = "logs"


class Sources(Stored):
    """The rows that records refer to by their place, from 0.

    Attributes:
        files: name of each ``.jsonl`` file, without its ending -> its SHA-256, in hex.
        origins: where and with what records were made.
        plugins: the plugins that cells were run with.
        protocols: how suites evaluated.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    files: dict[Name, Key]
    origins: tuple[Origin, ...]
    plugins: tuple[Plugin, ...]
    protocols: tuple[Text, ...]


_SOURCES = TypeAdapter(Sources)


def is_published(folder: Path) -> bool:
    """Whether ``folder`` holds a published study rather than a run."""
    return (folder / "sources.json").is_file()


def refuse_published(folder: Path, instead: str = "name another folder with --out") -> None:
    """Refuse what is done with a run where a study was published, in whose folder nothing runs.

    Args:
        folder: the folder.
        instead: what to do.

    Raises:
        ConfigError: ``folder`` holds a published study.
    """
    if is_published(folder):
        raise ConfigError(
            f"{folder} holds a published study, whose cells cannot be run there: {instead}"
        )


def write_published(folder: Path, plan: Plan, records: Iterable[AnyRecord]) -> None:
    """Write plan and records into ``folder``, in place of what was published there before.

    Args:
        folder: made if it is not there; copies of records in the form of a run are removed.
        plan: the study as planned.
        records: current records with their logs, in any order, each at most once.
    """
    used = sorted(((record, _rows(record)) for record in records), key=lambda it: _identity(it[0]))
    numbers = {
        name: _numbers((record.provenance.started, rows[name]) for record, rows in used)
        for name in ("origin", "plugin", "protocol")
    }
    lines: dict[str, list[str]] = {}
    for record, rows in used:
        fields = record.model_dump(mode="json")
        number = {name: numbers[name][text] for name, text in rows.items() if text}
        made = fields.pop("provenance")
        fields["provenance"] = {name: made[name] for name in ("started", "finished")}
        fields["provenance"]["origin"] = number.pop("origin")
        fields |= number
        if isinstance(getattr(record, "log", None), LogApart):
            raise TypeError(f"{record.id} comes without its log, which is apart")
        if log := fields.pop("log", None):
            whose = {"id": record.id, "key": record.key, "kind": record.kind}
            lines.setdefault(LOGS, []).append(canonical_line(whose | {"log": log}))
            fields["log"] = len(log)
        lines.setdefault(record.kind, []).append(canonical_line(fields))
    files = {name: "".join(line + "\n" for line in found) for name, found in lines.items()}
    _remove_older(folder, keep=files)
    for name, text in files.items():
        write_text(folder / f"{name}.jsonl", text)
    sources: Fields
    sources = {f"{name}s": [json.loads(text) for text in found] for name, found in numbers.items()}
    sources |= {"files": {name: digest(text.encode()) for name, text in files.items()}}
    write_text(
        folder / "sources.json", by_rows(sealed(sources | {"schema_version": SCHEMA_VERSION}))
    )
    cells = [cell.model_dump(mode="json", exclude_defaults=True) for cell in plan.cells]
    planned = plan.model_dump(mode="json") | {"cells": cells}
    write_text(folder / "plan.json", by_rows(sealed(planned)))


def read_published(folder: Path) -> list[AnyRecord]:
    """Every record of a published study, by kind and then sorted by id.

    Raises:
        RecordError: a file is missing or cut off, or a line is not what ``write_published`` would
            have written: not canonical, out of order, given twice, or with a reference to a row
            or a log that is not there.
    """
    if RunFolder(folder).has_records():
        raise RecordError(
            f"{folder} has sources.json of a published study and records/ of a run: "
            "delete the one that does not belong there"
        )
    sources = read_stored(folder / "sources.json", _SOURCES)
    unknown = sources.files.keys() - {*KINDS, LOGS}
    if unknown:
        raise RecordError(f"{folder / 'sources.json'} names unknown records: {min(unknown)}")
    logs = dict(_logs(folder, sources))
    rows: dict[str, Sequence[Any]] = {
        "origin": [row.model_dump() for row in sources.origins],
        "plugin": sources.plugins,
        "protocol": sources.protocols,
    }
    records = [
        _record(where, kind, fields, rows, logs)
        for kind in KINDS
        for where, fields in _lines(folder, kind, sources)
    ]
    if logs:
        raise RecordError(f"{folder / LOGS}.jsonl has a log of {min(logs)[0]}, which has no record")
    return records


def _rows(record: AnyRecord) -> dict[str, str]:
    """The rows of ``sources.json`` that a record refers to, as text; "" where it has none."""
    made = record.provenance.model_dump(mode="json", exclude={"started", "finished"})
    protocol = getattr(record, "protocol", None)
    return {
        "origin": canonical_line(made),
        "plugin": canonical_line(record.plugin.model_dump(mode="json")),
        "protocol": "" if protocol is None else canonical_line(protocol),
    }


def _numbers(used: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Row -> its number, in the order of first use, from pairs of time and row."""
    first: dict[str, str] = {}
    for time, row in used:
        first[row] = min(time, first.get(row, time))
    first.pop("", None)
    ordered = sorted(first, key=lambda row: (first[row], row))
    return {row: number for number, row in enumerate(ordered)}


def _identity(record: AnyRecord) -> Identity:
    return record.id, record.key, record.kind


def _remove_older(folder: Path, keep: Iterable[str]) -> None:
    """Remove what was published before and is not written again."""
    for name in {*KINDS, LOGS} - {*keep}:
        (folder / f"{name}.jsonl").unlink(missing_ok=True)
    RunFolder(folder).remove_records()


def _lines(folder: Path, name: str, sources: Sources) -> Iterator[tuple[str, Fields]]:
    path = folder / f"{name}.jsonl"
    written = sources.files.get(name)
    if written is None and not path.exists():
        return iter(())
    return read_lines(path, written or "")


def _logs(folder: Path, sources: Sources) -> Iterator[tuple[Identity, Any]]:
    for where, fields in _lines(folder, LOGS, sources):
        if fields.keys() != {"id", "key", "kind", "log"}:
            raise RecordError(f"{where}: not a log with id, key and kind; {AGAIN}")
        yield identity(fields), fields["log"]


def _record(
    where: str, kind: str, fields: Fields, rows: dict[str, Sequence[Any]], logs: dict[Identity, Any]
) -> AnyRecord:
    """The record of a line, with its rows and its log; both are taken in here."""
    try:
        if fields["kind"] != kind:
            raise LookupError(f"a record of kind {fields['kind']!r}")
        made = fields.get("provenance", {})
        fields["provenance"] = _row(rows, "origin", made.pop("origin", None)) | made
        for name in fields.keys() & {"plugin", "protocol"}:
            fields[name] = _row(rows, name, fields[name])
        if points := fields.get("log"):
            fields["log"] = logs.pop(identity(fields), [])
            if points != len(fields["log"]):
                raise LookupError(f"{LOGS}.jsonl has {len(fields['log'])} of {points} log points")
        return RECORD.validate_python(fields)
    except ValidationError as error:
        raise RecordError(f"{where}: {fault(error)}; {AGAIN}") from error
    except (AttributeError, LookupError, TypeError) as error:
        raise RecordError(f"{where}: {one_line(error)}; {AGAIN}") from error


def _row(rows: dict[str, Sequence[Any]], name: str, number: Any) -> Any:
    known = rows[name]
    if type(number) is not int or not 0 <= number < len(known):
        raise LookupError(f"{name} {number!r} is not one of the {len(known)} in sources.json")
    return known[number]
