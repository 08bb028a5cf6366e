"""What each objective spent until its common loss was down at a line: the time to a quality.

A speedup compares with the baseline's own curve. A line is a quality by itself, the same for every
objective and every study of the same text: what a table of counts reaches, such as the bigram line.
The baseline's final loss is one more, since counts may be far from what the encoders reach.

The spend at a line is where the mean curve over the seeds that are not stuck, after isotonic
regression, first reaches it, with the interval of ``judge.statistics.target_crossing``, whose target
is the same for every seed here. A line that was reached before the first measured point or not
within the budget gives a bound.

Shape legend: S pretraining seeds that are not stuck, P points of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.contract.meters import AXES, Axis
from objbench.judge.score_arrays import Curve
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.speedup import Bound
from objbench.judge.statistics.target_crossing import BEFORE, Crossing, crossing
from objbench.judge.statistics.ties import difference
from objbench.leaderboard.line_words import named_lines
from objbench.leaderboard.quantity import Notation, Quantity
from objbench.leaderboard.run_learning import BoolArray
from objbench.results.reference_lines import Lines

_NOTATIONS: Mapping[Axis, Notation] = {
    "steps": "count",
    "tokens": "amount",
    "flops": "amount",
    "seconds": "seconds",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineSpend:
    """What one objective spent until its common loss was down at one line.

    Attributes:
        line: what the line is called.
        loss: its loss, in nats per predicted token.
        spend: axis -> the spend; without the axes that were not measured.
    """

    objective: str
    line: str
    loss: float
    spend: Mapping[Axis, Quantity]


def line_spends(
    curves: Mapping[str, Curve],
    counted: Mapping[str, BoolArray],
    lines: Lines,
    baseline: str,
    final: str,
) -> tuple[LineSpend, ...]:
    """Line by line, what each objective spent; a line that all had reached at once is left out.

    Args:
        curves: objective -> its curve of the common loss, lower is better.
        counted: objective -> (all seeds,) bool, whether a seed's run is not stuck.
        lines: of what the common loss predicts.
        baseline: the objective whose final loss is the last line.
        final: what that line is called.
    """
    targets = dict(named_lines(lines))
    finals = curves[baseline].scores[-1:, counted[baseline]]
    if np.isfinite(finals).any():
        targets[final] = float(np.nanmean(finals))
    found: list[LineSpend] = []
    for line, loss in targets.items():
        rows = [
            LineSpend(objective=name, line=line, loss=loss, spend=spend)
            for name, curve in curves.items()
            if (spend := _spends(curve, counted[name], loss))
        ]
        if any(item.estimate.side != "below" for row in rows for item in row.spend.values()):
            found += rows
    return tuple(found)


def _spends(curve: Curve, counted: BoolArray, loss: float) -> Mapping[Axis, Quantity]:
    points = list(curve.whole)
    scores = -curve.scores[points][:, counted].T
    if not scores.size:
        return {}
    found = {}
    for number, axis in enumerate(AXES):
        spend = curve.spend[points][:, counted, number].T
        if (reached := _crossing(spend, scores, -loss)) is not None:
            found[axis] = _quantity(reached, len(scores), _NOTATIONS[axis])
    return found


def _crossing(spend: FloatArray, scores: FloatArray, target: float) -> Crossing | None:
    """Where the mean of ``scores`` reaches ``target``; None where no clock says it.

    Seconds of two seeds may share no range, and where the cores were busy those of one may fall.

    Args:
        spend, scores: (S, P) float64; greater scores are better.
    """
    try:
        curves = SeedCurves(spend, scores)
        shared = curves.shared_points()
    except ValueError:
        return None
    return crossing(difference(curves.at_all(shared), np.array([[target]]), axis=0), shared)


def _quantity(reached: Crossing, seeds: int, notation: Notation) -> Quantity:
    def bound(spend: FloatArray) -> Bound:
        if spend == BEFORE:
            return Bound(reached.first, "below")
        return Bound(reached.last, "above") if np.isposinf(spend) else Bound(float(spend))

    has_interval = seeds >= MIN_RUNS
    return Quantity(
        estimate=bound(reached.estimate),
        low=bound(reached.early) if has_interval else None,
        high=bound(reached.late) if has_interval else None,
        notation=notation,
    )
