"""How a cell ended, as the executors hear it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from objbench.results.records import (
    AnyRecord,
    CurveRecord,
    EvaluationRecord,
    PretrainRecord,
    Status,
    TextRecord,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended.

    Attributes:
        id: the cell's.
        status: as in its record.
        text: what to show in a few words.
        fixable: a failure that the user can fix (bad input) rather than a bug.
        out_of_memory: it failed for want of memory, which it may have on another attempt.
    """

    id: str
    status: Status
    text: str
    fixable: bool = False
    out_of_memory: bool = False


Ended = Callable[[Outcome], None]
"""Called with how each cell ended, at once."""


def outcome_of(record: AnyRecord) -> Outcome:
    """How the cell of a record ended, for whoever ran it and for whoever waited for it."""
    text = record.reason if record.status != "ok" else ", ".join(_found(record))
    return Outcome(record.id, record.status, text or "done", record.fixable)


def _found(record: AnyRecord) -> Iterator[str]:
    """What came out, in a few words each; by name, since a record that was stored has no other order."""
    match record:
        case PretrainRecord(points=[*_, last]) if "loss" in last.heldout:
            yield f"held-out loss {last.heldout['loss']:.3f}"
        case EvaluationRecord():
            for name, metrics in sorted(record.scores.items()):
                shown = sorted(metrics.items())
                yield from (f"{name} {metric} {value:.3f}" for metric, value in shown)
            if not any(record.scores.values()):
                yield f"not scored: {'; '.join(sorted({*record.unscored.values()}))}"
        case CurveRecord():
            for name, entry in sorted(record.values.items()):
                words = [name, *([entry.note] if entry.note else [])]
                yield " ".join(words + ([] if entry.value is None else [f"{entry.value:.2f}"]))
        case TextRecord():
            yield f"{record.tokens:,} {'words' if record.kind == 'tokenizer' else 'tokens'}"
