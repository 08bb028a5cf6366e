"""Speedups as the curve records give them, and whether the axes agree.

One value per seed and axis comes from each record. A seed in which the target is not reached has
no value; it is named and never dropped from the mean in silence, so a mean over the other seeds
is always printed with how many they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.board.notation import DASH, listed, ratio
from objbench.plan import PlannedSuite
from objbench.records import CurveRecord
from objbench.standing import Standing
from objbench.statistics import estimate
from objbench.suite import AXES

AXIS_WORDS = {
    "steps": "steps",
    "tokens": "tokens",
    "flops": "FLOPs",
    "seconds": "device seconds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """One objective's speedup over the baseline on one axis.

    Attributes:
        values: the seeds' values that there are.
        bound: "" if they are exact, or how to read their mean, such as "at least", where a
            seed's value is only a bound.
        notes: why there is no value -> in how many seeds.
        missing: seeds whose record is not there.
        runs: S, pretraining seeds of the study.
    """

    values: tuple[float, ...]
    bound: str
    notes: Mapping[str, int]
    missing: int
    runs: int

    @property
    def mean(self) -> float | None:
        """Mean over the seeds, or None unless every seed has an exact value."""
        whole = len(self.values) == self.runs and not self.bound
        return float(np.mean(self.values)) if whole else None

    @property
    def text(self) -> str:
        """The table's cell; a dash where a seed's record is missing."""
        if self.missing:
            return DASH
        parts = [f"{why} ({n} of {self.runs} seeds)" for why, n in sorted(self.notes.items())]
        if self.runs == 1:
            parts = list(self.notes)
        if self.values:
            lead = f"{self.bound} " * bool(self.bound)
            parts.append(self._spread_text(("else " if parts else "") + lead))
        return "; ".join(parts)

    def _spread_text(self, lead: str) -> str:
        found = estimate(np.array(self.values))
        # The baseline against itself is 1 in every seed, which needs no range.
        if f"{found.low:.2f}" == f"{found.high:.2f}":
            return lead + ratio(found.mean)
        # An interval over the seeds that got there would be one over the lucky ones, and one
        # over bounds none at all.
        half = "" if lead or found.half_width is None else f" ± {found.half_width:.2f}"
        return f"{lead}{ratio(found.mean)}{half} ({found.low:.2f} to {found.high:.2f})"

    @property
    def short(self) -> str:
        """The terminal's cell: the mean, or in how many seeds the target is reached at all."""
        if self.missing:
            return DASH
        if len(self.values) == self.runs:
            return f"{self.bound} {ratio(float(np.mean(self.values)))}".lstrip()
        if not self.values:
            return ", ".join(sorted(self.notes))
        return f"in {len(self.values)} of {self.runs} seeds"


def speedups(standing: Standing, suite: PlannedSuite) -> Mapping[tuple[str, str], Speedup]:
    """Objective and column -> speedup, for every objective and column of the curve suite."""
    records: dict[str, list[CurveRecord]] = {o.name: [] for o in standing.plan.objectives}
    for cell in standing.plan.cells:
        record = standing.records.get(cell.id)
        if cell.suite != suite.name or not isinstance(record, CurveRecord):
            continue
        if record.status == "ok":
            records[cell.objective].append(record)
    runs = len(standing.seeds)
    found = {}
    for objective, own in records.items():
        for column in suite.columns:
            entries = [r.values[column.name] for r in own if column.name in r.values]
            values = [e.value * column.scale for e in entries if e.value is not None]
            notes = Counter(e.note or "no value" for e in entries if e.value is None)
            bounds = sorted({e.note for e in entries if e.value is not None and e.note})
            found[objective, column.name] = Speedup(
                values=tuple(values),
                bound=" or ".join(bounds),
                notes=notes,
                missing=runs - len(entries),
                runs=runs,
            )
    return found


def axis_words(column: str) -> str:
    """The axis a column of a curve suite stands for, in words; its own name if it is none."""
    for axis in AXES:
        if column == axis or column.endswith(f"_{axis}"):
            return AXIS_WORDS[axis]
    return column


def axis_orders(standing: Standing, suite: PlannedSuite) -> Mapping[tuple[str, ...], list[str]]:
    """Order of the objectives, fastest first -> the axes on which it is so.

    Only objectives with an exact value in every seed and on every axis take part: one that does
    not reach the target, or reached it before its first point, has no place in an order. Equal means stay in the order of the plan.
    """
    table = speedups(standing, suite)
    names = [
        o.name
        for o in standing.plan.objectives
        if all(table[o.name, column.name].mean is not None for column in suite.columns)
    ]
    orders: dict[tuple[str, ...], list[str]] = {}
    if len(names) < 2:
        return orders
    for column in suite.columns:
        means = {name: table[name, column.name].mean or 0.0 for name in names}
        order = tuple(sorted(names, key=lambda name: -round(means[name], 2)))
        orders.setdefault(order, []).append(axis_words(column.name))
    return orders


def axes_sentence(standing: Standing, suite: PlannedSuite) -> str:
    """Whether the axes agree on which objective is fastest, in one sentence; "" if unknown."""
    orders = axis_orders(standing, suite)
    if not orders:
        return ""
    if len(orders) == 1:
        order = next(iter(orders))
        return f"The order by speedup is the same on every axis: {', '.join(order)}."
    parts = [f"{', '.join(order)} by {listed(axes)}" for order, axes in orders.items()]
    return f"The order by speedup depends on the axis: {'; '.join(parts)}."
