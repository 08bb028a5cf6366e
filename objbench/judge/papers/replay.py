"""Replay of published numbers: what a paper's own table and figure support, computed from them.

Where does the candidate's curve cross the baseline's score, and how much does the speedup change
if the target is set a little lower? On how many columns is it better, and which columns carry
the mean? Published numbers are one a point: they carry no interval, so none is given and nothing
is confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from objbench.judge.papers.figures import Figure, PublishedFigure, Row
from objbench.judge.statistics.point_speedup import first_reach

# Points by which the target is lowered at a time: a figure is hardly read better than that by eye.
SLACK = 0.05
SLACKS = 4
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where a candidate's curve first is at a target.

    Attributes:
        below: by how much the target is below the baseline's last score, in points.
        target: the score to be reached.
        steps: where, straight between points; None if it is not reached.
        speedup: the baseline's steps at its last point over ``steps``.
        is_bound: the first point is there already: ``speedup`` is at least that.
    """

    below: float
    target: float
    steps: float | None
    speedup: float | None
    is_bound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReplay:
    """One candidate's curve against the baseline's in one figure.

    Attributes:
        crossings: the strict target first, then targets a little lower.
    """

    figure: Figure
    candidate: str
    baseline: str
    crossings: tuple[Crossing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One row of a table against the baseline's longest.

    Attributes:
        gain: mean of the columns minus the baseline's, in points.
        below, equal, above: columns, in the order of the table.
        shares: column -> points of ``gain`` that it carries, its difference over the number of
            columns, largest first.
    """

    table: str
    row: Row
    baseline: Row
    gain: float
    below: tuple[str, ...]
    equal: tuple[str, ...]
    above: tuple[str, ...]
    shares: tuple[tuple[str, float], ...]

    def without(self, column: str) -> float:
        """The gain of the mean over the other columns."""
        count = len(self.shares)
        left = sum(share for name, share in self.shares if name != column)
        return left * count / (count - 1)


def replay_curves(published: PublishedFigure) -> tuple[CurveReplay, ...]:
    """Every candidate of every figure against the baseline."""
    return tuple(
        _replay(figure, published.baseline, name)
        for figure in published.figures
        for name in figure.curves
        if name != published.baseline
    )


def compare_rows(published: PublishedFigure) -> tuple[Comparison, ...]:
    """Every candidate's row of every table against the baseline's row of most steps."""
    found = []
    for table, rows in published.tables.items():
        own = [row for row in rows if row.objective == published.baseline]
        baseline = max(own, key=lambda row: row.steps)
        found += [
            _compare(table, row, baseline, published.columns)
            for row in rows
            if row.objective != published.baseline
        ]
    return tuple(found)


def crossing(figure: Figure, baseline: str, candidate: str, below: float) -> Crossing:
    """Where the candidate is first at the baseline's last score minus ``below``."""
    steps, score = figure.curves[baseline][-1]
    # As printed: 75.0 less 0.15 is 74.85, which a point of 74.85 reaches.
    target = round(score - below, 9)
    reach = first_reach(figure.curves[candidate], target)
    return Crossing(
        below=below,
        target=target,
        steps=reach.spend,
        speedup=None if reach.spend is None else steps / reach.spend,
        is_bound=reach.is_bound,
    )


def shortfall(replay: CurveReplay, factor: float) -> float | None:
    """By how many points the candidate is below the baseline's last score at 1/factor of its steps.

    Straight between points; negative where it is above.

    Returns:
        None where the candidate has no points on both sides: nothing is extrapolated.
    """
    steps, score = replay.figure.curves[replay.baseline][-1]
    at = steps / factor
    curve = replay.figure.curves[replay.candidate]
    for spend, value in curve:
        if spend == at:
            return score - value
    for (left, low), (right, high) in pairwise(curve):
        if left < at < right:
            return score - (low + (high - low) * (at - left) / (right - left))
    return None


def largest_disagreement(published: PublishedFigure) -> tuple[str, float] | None:
    """The table row whose mean and figure's point differ most, and by how many points.

    The validation table is what figures of development scores show.

    Returns:
        None where no row has a point in a figure.
    """
    found = [
        (row.name, abs(row.mean - score))
        for row in published.tables.get("validation", ())
        for figure in published.figures
        for steps, score in figure.curves.get(row.objective, ())
        if steps == row.steps
    ]
    return max(found, key=lambda item: item[1], default=None)


def _replay(figure: Figure, baseline: str, candidate: str) -> CurveReplay:
    slacks = [round(part * SLACK, 9) for part in range(SLACKS + 1)]
    return CurveReplay(
        figure=figure,
        candidate=candidate,
        baseline=baseline,
        crossings=tuple(crossing(figure, baseline, candidate, below) for below in slacks),
    )


def _compare(table: str, row: Row, baseline: Row, columns: tuple[str, ...]) -> Comparison:
    gaps = {
        name: ours - theirs
        for name, ours, theirs in zip(columns, row.scores, baseline.scores, strict=True)
    }
    shares = {name: gap / len(columns) for name, gap in gaps.items()}
    return Comparison(
        table=table,
        row=row,
        baseline=baseline,
        gain=sum(shares.values()),
        below=tuple(name for name, gap in gaps.items() if gap < -_EQUAL),
        equal=tuple(name for name, gap in gaps.items() if abs(gap) <= _EQUAL),
        above=tuple(name for name, gap in gaps.items() if gap > _EQUAL),
        shares=tuple(sorted(shares.items(), key=lambda item: -item[1])),
    )
