"""What the page's script draws: the curves and the speedups, as data with short names.

Nothing is computed here but the rounding: six digits, of which a figure shows three. A point that was
not measured is left out, and a bound keeps its side: -1 below, 1 above, 0 for a value.

Shape legend: S pretraining seeds, P whole points of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from objbench.contract.meters import AXES, AXIS_WORDS, unit
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.speedup import Bound, SpeedupAt
from objbench.leaderboard.curve_pictures import claimed_speedups
from objbench.leaderboard.document import shortened
from objbench.leaderboard.line_words import BIGRAM, named_lines
from objbench.leaderboard.pictures.drawing import BASELINE_COLOUR, COLOURS, DASHES, look
from objbench.leaderboard.pictures.drawn_curve import DrawnCurve
from objbench.leaderboard.report import CurveReport, Report

_SIDES = {"below": -1, "": 0, "above": 1}
_DIGITS = 6


def figure_data(report: Report) -> dict[str, Any]:
    """Everything that the script draws.

    ``objectives`` are numbered in the order of the plan; the curves name them by number.
    """
    names = [objective.name for objective in report.plan.objectives]
    return {
        "study": report.plan.name,
        "baseline": names.index(report.baseline),
        "seeds": list(report.seeds),
        "axes": [AXIS_WORDS[axis] for axis in AXES],
        "objectives": [_objective(name, names, report.baseline) for name in names],
        "curves": [_curve(report, curve, names) for curve in report.curves if curve.is_drawable],
    }


def _objective(name: str, names: Sequence[str], baseline: str) -> dict[str, Any]:
    """How an objective is called and drawn: as in the pictures."""
    own = look(name, names, baseline)
    colour = -1 if own.colour == BASELINE_COLOUR else COLOURS.index(own.colour)
    return {
        "name": name,
        "colour": colour,
        "dashes": DASHES.index(own.dashes),
    }


def _curve(report: Report, curve: CurveReport, names: Sequence[str]) -> dict[str, Any]:
    drawn = {
        name: DrawnCurve.of(own, curve.counted[name])
        for name, own in curve.curves.items()
        if own.whole
    }
    lines = {} if curve.lines is None else named_lines(curve.lines)
    reference = drawn.get(report.baseline)
    has_end = reference is not None and reference.has_end
    functions = {name: item.functions for name, item in curve.speedups.items() if item.headline}
    return {
        "words": curve.source.words,
        "lower": curve.source.sign < 0,
        "digits": 3 if curve.source.notation == "loss" else 2,
        "units": [
            [*unit(axis, max(float(own.spend[:, :, place].max()) for own in drawn.values()))]
            for place, axis in enumerate(AXES)
        ],
        "end": _rounded(reference.end) if reference is not None and has_end else None,
        "lines": [[words, _rounded(value), words == BIGRAM] for words, value in lines.items()],
        "own": [
            _drawn(own, names.index(name), name in curve.drawn, not report.plan.training.unfinished)
            for name, own in drawn.items()
        ],
        "speedups": [
            {
                "o": names.index(name),
                "by": [[_at(at, curve.source.sign) for at in found.get(axis, ())] for axis in AXES],
            }
            for name, found in functions.items()
            if found
        ],
        "claims": [
            {
                "o": names.index(claim.objective),
                "axis": AXES.index(claim.axis),
                "value": claim.value,
                "words": shortened(claim.words),
            }
            for claim in claimed_speedups(report)
            if claim.objective in functions
        ],
    }


def _drawn(own: DrawnCurve, place: int, is_shown: bool, is_finished: bool) -> dict[str, Any]:
    """One objective's curve: ``at`` and ``mean`` are of the thick line, the others of each seed."""
    return {
        "o": place,
        "shown": is_shown,
        "share": [_rounded(own.curve.shares[point]) for point in own.curve.whole],
        "finished": own.finished(is_finished).tolist(),
        "stuck": [] if own.stuck == 0 else _stuck(own),
        "at": [_row(own.mean_spend(axis)) for axis in range(len(AXES))],
        "mean": _row(own.means) if not own.is_stuck else [],
        # Axis -> point -> what every seed spent, or one number where they are equal.
        "spend": [
            [_one_or_each(own.spend[point, :, axis]) for point in range(len(own.spend))]
            for axis in range(len(AXES))
        ],
        "scores": [_row(point) for point in own.scores],
    }


def _stuck(own: DrawnCurve) -> list[bool]:
    """(S,) whether a seed's run is stuck."""
    return [own.is_stuck or not counted for counted in own.counted.tolist()]


def _one_or_each(values: FloatArray) -> float | list[float]:
    return _rounded(values[0]) if (values == values[0]).all() else _row(values)


def _at(at: SpeedupAt, sign: float) -> list[float | None]:
    """Target, then estimate, low and high with their sides."""
    return [_rounded(sign * at.target), *_bound(at.estimate), *_bound(at.low), *_bound(at.high)]


def _bound(bound: Bound | None) -> list[float | None]:
    return [None, 0] if bound is None else [_rounded(bound.value), _SIDES[bound.side]]


def _row(values: FloatArray) -> list[float]:
    return [_rounded(value) for value in np.asarray(values).tolist()]


def _rounded(value: float) -> float:
    found = float(f"{value:.{_DIGITS}g}")
    # "1000000" is shorter than "1000000.0".
    return int(found) if found.is_integer() and abs(found) < 1e15 else found
