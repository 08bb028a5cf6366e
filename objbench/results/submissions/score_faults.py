"""Whether the scores of a submission are within what their counts allow.

An accuracy over n examples is k/n, and with it the F1 of two classes gives the number of true
positives, which is whole: F = 2 t / (2 t + e) with e = n - k errors, so t = e F / (2 (1 - F)).
Where all examples are stored, their mean is the score already (``StoredExamples.require``). Which
columns count whole examples is read from what is stored of them, so that a suite that gives half a
point for a tie is not refused.

Raw metrics with a range by definition are within it (``foreign_values.RANGES``), or no record is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from objbench.results.plan import Plan
from objbench.results.records import EvaluationRecord, FloorRecord, TrialEvaluationRecord
from objbench.results.submissions.record_faults import Records

_ROUNDING = 1e-6
_ACCURACY, _F1 = "accuracy", "f1"

_Place = tuple[str, str]
"""A suite and a column of it."""


def score_faults(plan: Plan, records: Records) -> Iterator[str]:
    """Scores that cannot be, one line each."""
    evaluations = {n: r for n, r in records.items() if isinstance(r, EvaluationRecord)}
    counted = _counted(evaluations)
    for name, record in evaluations.items():
        for fault in [*_columns(plan, record), *_counts(record, counted)]:
            yield f"{record.kind} {name}: {fault}"
    yield from _alike(evaluations)


def uncounted(plan: Plan, records: Records) -> Iterator[str]:
    """Accuracies of which nothing says what they count, one line per suite."""
    evaluations = {n: r for n, r in records.items() if isinstance(r, EvaluationRecord)}
    known = {(r.suite, column) for r in evaluations.values() for column in r.examples}
    for suite in plan.suites:
        found = {
            column
            for r in evaluations.values()
            if r.suite == suite.name
            for column, metrics in r.scores.items()
            if _ACCURACY in metrics and (suite.name, column) not in known
        }
        if found:
            yield (
                f"no examples are stored of {suite.name} {', '.join(sorted(found))}, so nothing "
                "says which accuracies are possible"
            )


def _columns(plan: Plan, record: EvaluationRecord) -> Iterator[str]:
    """The columns of the task, and no others, have a score or a reason why they have none."""
    if record.status != "ok":
        return
    suite = next(suite for suite in plan.suites if suite.name == record.suite)
    wanted = {column.name: column for column in suite.columns if column.task == record.task}
    # A floor may be one of some columns only.
    absent = wanted.keys() - {*record.scores, *record.unscored}
    for name in sorted(absent if not isinstance(record, FloorRecord) else ()):
        yield f"there is no score of {name}"
    for name in sorted({*record.scores, *record.unscored} - wanted.keys()):
        yield f"{name} is no column of {record.suite} {record.task}"
    for name in sorted(wanted.keys() & record.scores.keys()):
        for metric in wanted[name].metrics:
            if metric not in record.scores[name]:
                yield f"there is no {metric} of {name}"


def _counted(evaluations: dict[str, EvaluationRecord]) -> set[_Place]:
    """The columns whose accuracy counts whole examples, by those that are stored of them."""
    found: dict[_Place, bool] = {}
    for record in evaluations.values():
        for column, stored in record.examples.items():
            values = stored.metrics.get(_ACCURACY)
            if values is not None:
                whole = values.bits < 8 and {*values.levels} <= {0.0, 1.0}
                found[record.suite, column] = found.get((record.suite, column), True) and whole
    return {place for place, whole in found.items() if whole}


def _counts(record: EvaluationRecord, counted: set[_Place]) -> Iterator[str]:
    for column, metrics in record.scores.items():
        count = record.eval_examples.get(column, 0)
        if (record.suite, column) not in counted or _ACCURACY not in metrics:
            continue
        if not count:
            yield f"nothing says how many examples {column} has"
            continue
        accuracy = metrics[_ACCURACY]
        right = round(accuracy * count)
        if abs(accuracy * count - right) > _ROUNDING * max(1, right):
            yield (
                f"an accuracy of {accuracy:.9g} on {column} is no whole number of its {count} examples"
            )
            continue
        f1, errors = metrics.get(_F1), count - right
        if f1 is None:
            continue
        positives = errors * f1 / (2 * (1 - f1)) if f1 < 1 else float(right)
        whole = round(positives)
        is_possible = whole <= right and (f1 < 1 or not errors)
        if not is_possible or abs(positives - whole) > _ROUNDING * max(1, whole, count):
            yield f"no classes of {count} examples give an F1 of {f1:.9g} and {right} right on {column}"


def _alike(evaluations: dict[str, EvaluationRecord]) -> Iterator[str]:
    """All evaluations of a task are of the same examples, and store what the others do."""
    counts: dict[tuple[str, str, str], tuple[str, int]] = {}
    examples: dict[_Place, tuple[str, str, int]] = {}
    stored: dict[tuple[str, ...], tuple[str, set[str]]] = {}
    for name, record in evaluations.items():
        if record.status != "ok" or isinstance(record, TrialEvaluationRecord):
            continue
        for column, count in record.eval_examples.items():
            # Where tokens are counted, which are hidden depends on the generator of the device.
            place_on = (record.suite, column, record.provenance.device)
            where, first = counts.setdefault(place_on, (name, count))
            if count != first:
                yield (
                    f"{record.kind} {name}: {column} has {count} examples here and {first} in {where}"
                )
        for column, own in record.examples.items():
            place = (record.suite, column)
            where, of, every = examples.setdefault(place, (name, own.of, own.every))
            if (own.of, own.every) != (of, every):
                yield f"{record.kind} {name}: the examples of {column} are not those of {where}"
        # Of a point on the way to the end nothing is stored, and each floor is a kind of its own.
        kind = (record.kind, getattr(record, "floor", ""), str(record.share >= 1))
        place_of = (record.suite, record.task, *kind)
        columns = {*record.examples}
        where, others = stored.setdefault(place_of, (name, columns))
        if columns != others and not record.unscored:
            yield f"{record.kind} {name}: its examples are not stored of the columns that {where} has"
