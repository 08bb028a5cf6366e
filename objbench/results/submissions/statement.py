"""The statement of a submission: what was run where, with what, and by whom, for machines to read.

Everything but ``by`` and ``left_out`` follows from the plan and the records, so ``disagreements``
finds a statement that says something else than they do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from pydantic import TypeAdapter

from objbench.errors import one_line
from objbench.results.canonical_lines import canonical_line
from objbench.results.foreign_values import Count, Key, Label, Name, Text, Time
from objbench.results.json_files import SCHEMA_VERSION, SchemaVersion, Stored
from objbench.results.plan import CellKind, Plan
from objbench.results.records import AnyRecord, Origin, Status
from objbench.results.study_results import StudyResults

OURS = "objbench"
"""The project whose plugins are shipped; their sources are not sent."""


class Ran(Stored):
    """What one command ran on one machine.

    Attributes:
        origin: the command, versions of Python and libraries, device, threads, processes, commit.
        cells: kind -> number of cells.
        started, finished: of the first and the last of them.
    """

    origin: Origin
    cells: dict[CellKind, Count]
    started: Time
    finished: Time


class SentPlugin(Stored):
    """A plugin that cells were run with.

    Attributes:
        name: as in the records: of an objective, a composition or a suite.
        project, version: where it comes from; joined by " + " for a composition.
        source: digest of its sources, as ``plugins.source_digest`` makes it.
        entries: part of the name that is not shipped -> the module that registers it. Its sources
            are in the folder ``plugins/<source>``; empty where all parts are shipped.
    """

    name: Name
    project: Label
    version: Label
    source: Key
    entries: dict[Name, Name]


class LeftOut(Stored):
    """A record of the run folder that belongs to no cell of the plan.

    It was made with other code, data or settings than the rest.
    """

    kind: CellKind
    id: Name
    key: Key
    finished: Time


class Statement(Stored):
    """What a submission says of itself.

    Attributes:
        study: its name where it was run.
        command: the exact command that made the plan.
        by: who sends it, as far as it wants to be known.
        engine_version: of objbench's engine.
        declared: the pretraining seeds as they were declared, one row for each time.
        cells: status -> number of cells.
        ran: what ran where, in the order of time.
        plugins: in the order of their names.
        left_out: records that were in the run folder and are not sent.
    """

    schema_version: SchemaVersion = SCHEMA_VERSION
    study: Label
    command: Text
    by: Label = ""
    engine_version: Count
    declared: tuple[tuple[Count, ...], ...]
    cells: dict[Status, Count]
    ran: tuple[Ran, ...]
    plugins: tuple[SentPlugin, ...]
    left_out: tuple[LeftOut, ...] = ()


STATEMENTS = TypeAdapter(Statement)


def statement_of(
    results: StudyResults, entries: Mapping[str, Mapping[str, str]], by: str = ""
) -> Statement:
    """The statement of a study.

    Args:
        results: its plan and its records; the stale ones are listed as left out.
        entries: name of a plugin -> ``SentPlugin.entries``, for those that are not shipped.
        by: who sends it.
    """
    plan, records = results.plan, list(results.records.values())
    return Statement(
        study=plan.name,
        command=plan.command,
        by=by,
        engine_version=plan.engine_version,
        declared=declared(plan),
        cells=dict(Counter(record.status for record in records)),
        ran=tuple(_ran(records)),
        plugins=tuple(_plugins(records, entries)),
        left_out=tuple(
            LeftOut(kind=r.kind, id=r.id, key=r.key, finished=r.provenance.finished)
            for r in results.stale
        ),
    )


def declared(plan: Plan) -> tuple[tuple[int, ...], ...]:
    """The seeds as they were declared; a plan from before they were has those of its study."""
    return plan.declared or (plan.asked.seeds,)


def disagreements(statement: Statement, results: StudyResults) -> Iterator[str]:
    """Where a statement is not that of the records, one line each."""
    entries = {plugin.name: plugin.entries for plugin in statement.plugins}
    right = statement_of(results, entries, statement.by)
    for name in Statement.model_fields:
        if name in ("schema_version", "by", "left_out"):
            continue
        said, found = getattr(statement, name), getattr(right, name)
        if said != found:
            shown = one_line(found if isinstance(found, str | int) else "something else")[:100]
            yield f"statement.json: its {name.replace('_', ' ')} is not that of the records: {shown}"


def _ran(records: Iterable[AnyRecord]) -> Iterator[Ran]:
    of: dict[str, list[AnyRecord]] = {}
    for record in records:
        made = record.provenance.model_dump(mode="json", exclude={"started", "finished"})
        of.setdefault(canonical_line(made), []).append(record)
    rows = [
        Ran(
            origin=Origin.model_validate(
                own[0].provenance.model_dump(exclude={"started", "finished"})
            ),
            cells=dict(Counter(record.kind for record in own)),
            started=min(record.provenance.started for record in own),
            finished=max(record.provenance.finished for record in own),
        )
        for _, own in sorted(of.items())
    ]
    yield from sorted(rows, key=lambda row: row.started)


def _plugins(
    records: Iterable[AnyRecord], entries: Mapping[str, Mapping[str, str]]
) -> Iterator[SentPlugin]:
    found = {canonical_line(r.plugin.model_dump(mode="json")): r.plugin for r in records}
    for _, plugin in sorted(found.items(), key=lambda item: (item[1].name, item[0])):
        yield SentPlugin(
            name=plugin.name,
            project=plugin.project,
            version=plugin.version,
            source=plugin.source or "0",
            entries=dict(entries.get(plugin.name, {})),
        )


def is_shipped(project: str) -> bool:
    """Whether all parts of a plugin come with objbench; ``project`` as in a record."""
    return set(project.split(" + ")) == {OURS}
