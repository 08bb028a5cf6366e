"""The logs of a run's pretrainings, apart from their records.

::

    losses/<cell id>.<key>.<digest>.json    the points that are kept of the log of one run

A record is read whenever a page is made or a tuning looks at its trials, and nothing of either comes
from the log, which would be two thirds of the record or more. So a record that is stored says how many
points its log has and what their digest is; the beginning of that is in the name too. The file is
there before the record is.

The digest leaves out the seconds of the points, so that records of one cell are equal wherever it
ran. Of two workers that finish one cell at the same time, the second may replace the first one's
seconds, from which nothing is computed.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import TypeAdapter

from objbench.errors import RecordError
from objbench.results.foreign_values import Key, Name
from objbench.results.json_files import (
    SCHEMA_VERSION,
    SchemaVersion,
    Stored,
    content_key,
    read_from,
    write_to,
)
from objbench.results.record_names import cell_name
from objbench.results.records import AnyRecord, PretrainRecord
from objbench.results.store import Store
from objbench.results.training_points import Log, LogApart

LOSSES = "losses"
_OURS = re.compile(rf"{LOSSES}/[^/]+\.[0-9a-f]{{1,12}}\.[0-9a-f]{{12}}\.json")


class _LogFile(Stored):
    """The log of one run, and whose it is."""

    schema_version: SchemaVersion = SCHEMA_VERSION
    id: Name
    key: Key
    kind: Literal["pretrain", "trial"]
    log: Log


_LOG_FILE: TypeAdapter[_LogFile] = TypeAdapter(_LogFile)


def put_log(store: Store, record: AnyRecord) -> AnyRecord:
    """Put the log of ``record``, if it has one, into ``store``.

    Returns:
        The record as it is to be stored, which says how many points there are and their digest.

    Raises:
        OSError: the log cannot be written.
    """
    if not isinstance(record, PretrainRecord) or not record.logged:
        return record
    kept = _LogFile(id=record.id, key=record.key, kind=record.kind, log=record.logged)
    apart = _apart(kept.log)
    write_to(store, _name(record, apart), kept)
    return record.model_copy(update={"log": apart})


def with_log(store: Store, record: AnyRecord) -> AnyRecord:
    """``record`` and its log, which is read from ``store`` where it is apart.

    Raises:
        RecordError: the log is missing, or is not what was stored.
    """
    if not isinstance(record, PretrainRecord) or not isinstance(record.log, LogApart):
        return record
    name = _name(record, record.log)
    again = f"delete the record of {record.kind} {record.id} and run the study again"
    try:
        kept = read_from(store, name, _LOG_FILE)
    except RecordError as error:
        raise RecordError(f"{str(error).partition('; ')[0]}; {again}") from error
    theirs = (kept.id, kept.key, kept.kind, _apart(kept.log))
    if theirs != (record.id, record.key, record.kind, record.log):
        raise RecordError(f"{store.where(name)} is not the log that the record has; {again}")
    return record.model_copy(update={"log": kept.log})


def remove_logs(store: Store) -> None:
    """Remove every log of a run; any other file stays, since a folder of that name may be another's."""
    for name in filter(_OURS.fullmatch, store.list(LOSSES)):
        store.delete(name)


def _apart(log: Log) -> LogApart:
    points = [point.model_dump(mode="json", exclude={"meters": {"seconds"}}) for point in log]
    return LogApart(points=len(log), digest=content_key(points))


def _name(record: PretrainRecord, apart: LogApart) -> str:
    return f"{LOSSES}/{cell_name(record)}.{apart.digest[:12]}.json"
