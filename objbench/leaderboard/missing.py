"""What is missing: cells not run, failed or diverged, stale records, tasks without data.

Cells that are missing for the same reason are one gap. A cell that waits for another that failed
says so, so that one failure reads as one and not as the dozens it holds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from objbench.judge.formatting import count, listed
from objbench.results.plan import CellKind, PlannedCell, PlannedSuite
from objbench.results.records import AnyRecord, PretrainRecord, TextRecord
from objbench.results.study_results import StudyResults

_KIND_WORDS = {"trial": "tuning", "trial_evaluation": "tuning", "pretrain": "pretraining"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRecords:
    """Records of one objective, seed and kind whose code, data or settings have changed since.

    Attributes:
        what: the suite, its floors, "pretraining" or "tuning".
        records: how many they are.
    """

    what: str
    objective: str
    seed: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Cells of one objective, seed and suite that are missing for one reason.

    Attributes:
        what: the suite, its floors, "pretraining" or "tuning".
        tasks: their tasks, none for pretraining and curves.
        state: "missing", "failed" or "diverged".
        cells: how many they are.
    """

    objective: str
    seed: int
    what: str
    tasks: tuple[str, ...]
    state: str
    reason: str
    cells: int


def gaps(results: StudyResults) -> tuple[Gap, ...]:
    """Everything the plan wants and the records lack, in the order of the plan."""
    grouped: dict[tuple[str, int, str, str, str], list[PlannedCell]] = {}
    for cell in results.plan.cells:
        state = results.state(cell)
        if state != "ok":
            what = _what(cell.kind, cell.suite)
            reason = _reason(results, cell)
            grouped.setdefault((cell.objective, cell.seed, what, state, reason), []).append(cell)
    return tuple(
        Gap(
            objective=objective,
            seed=seed,
            what=what,
            tasks=tuple(dict.fromkeys(cell.task for cell in own if cell.task)),
            state=state,
            reason=reason,
            cells=len(own),
        )
        for (objective, seed, what, state, reason), own in grouped.items()
    )


def stale_records(results: StudyResults) -> tuple[StaleRecords, ...]:
    """The stale records, counted by what they are of."""
    grouped: dict[tuple[str, str, int], int] = {}
    for record in results.stale:
        key = (record_kind(record), record.objective, record.seed)
        grouped[key] = grouped.get(key, 0) + 1
    return tuple(
        StaleRecords(what=what, objective=objective, seed=seed, records=number)
        for (what, objective, seed), number in sorted(grouped.items())
    )


def record_kind(record: AnyRecord) -> str:
    """What a record is of: its suite, the floors of one, "pretraining" or "tuning"."""
    if isinstance(record, TextRecord):
        return "text"
    if isinstance(record, PretrainRecord):
        return _KIND_WORDS[record.kind]
    return _what(record.kind, record.suite)


def _what(kind: CellKind, suite: str) -> str:
    return f"floors of {suite}" if kind == "floor" else _KIND_WORDS.get(kind, suite)


def missing_tasks(suites: Iterable[PlannedSuite]) -> list[str]:
    """One sentence for each suite whose data lacks tasks."""
    return [
        f"{suite.name} leaves out {listed(sorted(suite.missing))}: {_whys(suite.missing)}. "
        f"No average contains {'it' if len(suite.missing) == 1 else 'them'}."
        for suite in suites
        if suite.missing
    ]


def gaps_sentence(cells: int, found: Iterable[Gap], stale: Iterable[StaleRecords]) -> str:
    """How many of the planned cells are missing and how many records are stale; "" if none."""
    numbers: Counter[str] = Counter()
    for gap in found:
        numbers[gap.state] += gap.cells
    parts = [f"{numbers[s]} {s}" for s in ("failed", "diverged", "missing") if numbers[s]]
    sentences = [f"Incomplete: of {count(cells, 'cell')}, {listed(parts)}."] if parts else []
    records = sum(item.records for item in stale)
    if records:
        sentences.append(f"Not counted: {count(records, 'stale record')}.")
    return " ".join(sentences)


def _whys(missing: Mapping[str, str]) -> str:
    reasons = {why for why in missing.values()}
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(f"{task}: {why}" for task, why in sorted(missing.items()))


def _reason(results: StudyResults, cell: PlannedCell) -> str:
    record = results.records.get(cell.id)
    if record is not None:
        return record.reason or "no reason was recorded"
    # A curve waits for evaluations and, through them, for pretraining, which may wait for a
    # teacher's.
    waiting = results.upstream(cell)
    broken = [c for c in waiting if results.state(c) in ("failed", "diverged")]
    first = next((c for c in broken if c.kind == "pretrain"), broken[0] if broken else None)
    if first is not None:
        return f"needs {first.id}, which {results.state(first).replace('failed', 'has failed')}"
    absent = [c for c in waiting if results.state(c) == "missing"]
    if absent:
        first = next((c for c in absent if c.kind == "pretrain"), absent[0])
        return f"waits for {first.id}"
    return "not run yet"
