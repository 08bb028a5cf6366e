"""Replay of published numbers: what a paper's own table and figure support, computed from them.

Where does the candidate's curve reach the baseline's score, and how much does the speedup change
if the target is set a little lower? On how many columns is the candidate better, and which columns
carry the mean? There is one published number per point, so nothing here has an interval and nothing
is confirmed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.papers.figures import Figure, PublishedFigure, Row
from objbench.judge.statistics.target_crossing import BEFORE, NEVER, crossing
from objbench.judge.statistics.ties import difference, without_rounding

# Points by which the target is lowered at a time: a figure can hardly be read better by eye.
SLACK = 0.05
SLACKS = 4
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where a candidate's curve first reaches a target.

    Attributes:
        below: by how much the target is below the baseline's last score, in points.
        target: the score to be reached.
        steps: where, with linear interpolation between points; None if it is not reached.
        speedup: the baseline's steps at its last point divided by ``steps``.
        is_bound: the first point has reached it already: ``speedup`` is at least that.
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
        reaches: of the strict target first, then of targets a little lower.
    """

    figure: Figure
    candidate: str
    baseline: str
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowComparison:
    """One row of a table against the baseline's longest.

    Attributes:
        gain: mean of the columns minus the baseline's, in points.
        below, equal, above: columns, in the order of the table.
        shares: column -> points of ``gain`` that it contributes: its difference divided by the
            number of columns; largest first.
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


def compare_rows(published: PublishedFigure) -> tuple[RowComparison, ...]:
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


def shortfall(replay: CurveReplay, factor: float) -> float | None:
    """By how many points the candidate is below the baseline's last score at 1/factor of its steps.

    Linear between points; negative where the candidate is above.

    Returns:
        None where the candidate has no points on both sides: nothing is extrapolated.
    """
    steps, score = replay.figure.curves[replay.baseline][-1]
    spends, scores = np.array(replay.figure.curves[replay.candidate]).T
    if not spends[0] <= steps / factor <= spends[-1]:
        return None
    reached = np.interp(steps / factor, spends, scores)
    return float(difference(np.array([score]), np.array([reached]))[0])


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
    spends, scores = np.array(figure.curves[candidate]).T
    steps, score = figure.curves[baseline][-1]
    reaches = []
    for part in range(SLACKS + 1):
        below = round(part * SLACK, 9)
        # As printed: 75.0 less 0.15 is 74.85, which a point of 74.85 reaches.
        target = round(score - below, 9)
        spend = float(crossing(difference(scores, np.array(target))[None], spends).estimate)
        reached = None if spend == NEVER else float(spends[0]) if spend == BEFORE else spend
        reaches.append(
            Reach(
                below=below,
                target=target,
                steps=reached,
                speedup=None if reached is None else steps / reached,
                is_bound=spend == BEFORE,
            )
        )
    return CurveReplay(
        figure=figure, candidate=candidate, baseline=baseline, reaches=tuple(reaches)
    )


def _compare(table: str, row: Row, baseline: Row, columns: tuple[str, ...]) -> RowComparison:
    gaps = {
        name: ours - theirs
        for name, ours, theirs in zip(columns, row.scores, baseline.scores, strict=True)
    }
    shares = {name: gap / len(columns) for name, gap in gaps.items()}
    return RowComparison(
        table=table,
        row=row,
        baseline=baseline,
        gain=float(without_rounding(np.array(sum(shares.values())), max(row.scores))),
        below=tuple(name for name, gap in gaps.items() if gap < -_EQUAL),
        equal=tuple(name for name, gap in gaps.items() if abs(gap) <= _EQUAL),
        above=tuple(name for name, gap in gaps.items() if gap > _EQUAL),
        shares=tuple(sorted(shares.items(), key=lambda item: -item[1])),
    )
