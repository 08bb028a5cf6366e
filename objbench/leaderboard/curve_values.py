"""What curve suites measured beyond speedups: the columns of theirs that are no compute axis.

Speedups are the judge's own, over all seeds at once; a curve suite may measure other things, one
value a seed. A seed without a value is named and never dropped from the mean in silence. A value
compares an objective with the baseline, so it counts where neither run is stuck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.contract.meters import column_axis
from objbench.contract.suite import Column
from objbench.judge.formatting import DASH, three_digits
from objbench.judge.statistics.estimate import estimate
from objbench.leaderboard.run_learning import run_learning
from objbench.results.plan import PlannedSuite
from objbench.results.records import CurveRecord
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveValues:
    """One objective's values in one column.

    Attributes:
        values: the seeds' values that there are.
        bound: "" if they are exact, or how to read their mean, such as "at least".
        notes: why there is no value -> in how many seeds.
        missing: seeds whose record is not there.
        runs: seeds of the study at which neither run is stuck.
        stuck: seeds at which one is.
    """

    values: tuple[float, ...]
    bound: str
    notes: Mapping[str, int]
    missing: int
    runs: int
    stuck: int = 0

    @property
    def text(self) -> str:
        """The table's cell; a dash where a seed's record is missing."""
        if self.missing:
            return DASH
        parts = [f"{why} ({n} of {self.runs} seeds)" for why, n in sorted(self.notes.items())]
        if self.runs == 1:
            parts = list(self.notes)
        if self.stuck:
            parts.append(f"a run is stuck ({self.stuck} of {self.runs + self.stuck} seeds)")
        if self.values:
            lead = f"{self.bound} " * bool(self.bound)
            parts.append(self._spread_text(("else " if parts else "") + lead))
        return "; ".join(parts)

    def _spread_text(self, lead: str) -> str:
        found = estimate(np.array(self.values))
        low, high = three_digits(found.least), three_digits(found.greatest)
        if low == high:
            return lead + three_digits(found.mean)
        # An interval over the seeds that have a value would be one over the lucky ones, and one
        # over bounds none at all.
        if lead or found.interval is None:
            return f"{lead}{three_digits(found.mean)} (seeds {low} to {high})"
        ends = ", ".join(f"{value:.2f}" for value in found.interval)
        return f"{three_digits(found.mean)} [{ends}]"


def other_columns(suite: PlannedSuite) -> tuple[Column, ...]:
    """The columns of a curve suite that are no axis."""
    return tuple(column for column in suite.columns if column_axis(column.name) is None)


def curve_values(
    results: StudyResults, suite: PlannedSuite
) -> Mapping[str, Mapping[str, CurveValues]]:
    """Column -> objective -> values, for every column that is no compute axis."""
    learnt = run_learning(results)
    pairs = {
        name: dict(
            zip(results.seeds, runs.counted & learnt[results.plan.baseline].counted, strict=True)
        )
        for name, runs in learnt.items()
    }
    records: dict[str, list[CurveRecord]] = {o.name: [] for o in results.plan.objectives}
    for cell in results.plan.cells:
        record = results.records.get(cell.id)
        if cell.suite != suite.name or not isinstance(record, CurveRecord):
            continue
        if record.status == "ok" and pairs[cell.objective].get(cell.seed, True):
            records[cell.objective].append(record)
    return {
        column.name: {
            name: _values(own, column, list(pairs[name].values())) for name, own in records.items()
        }
        for column in other_columns(suite)
    }


def _values(records: list[CurveRecord], column: Column, pairs: list[bool]) -> CurveValues:
    runs = sum(pairs)
    entries = [r.values[column.name] for r in records if column.name in r.values]
    return CurveValues(
        values=tuple(e.value * column.scale for e in entries if e.value is not None),
        bound=" or ".join(sorted({e.note for e in entries if e.value is not None and e.note})),
        notes=Counter(e.note or "no value" for e in entries if e.value is None),
        missing=runs - len(entries),
        runs=runs,
        stuck=len(pairs) - runs,
    )
