"""The speedup at several scores of the baseline, as a table: one number would be one choice."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pandas as pd

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.formatting import DASH, markdown
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.seed_curves import isotonic
from objbench.judge.statistics.speedup import Bound, SpeedupAt, speedup_function
from objbench.leaderboard.curve_sources import CurveSource, source_curves
from objbench.leaderboard.speedups import Speedups, speedup_text, speedups
from objbench.results.study_results import StudyResults

# Parts of the way from the baseline's first point to its last.
_PARTS = ((0.75, "3/4 of its rise"), (0.5, "1/2 of its rise"), (0.25, "1/4 of its rise"))


def functions(
    found: Speedups, targets: FloatArray | None = None
) -> Mapping[Axis, tuple[SpeedupAt, ...]]:
    """The speedup of one objective at every target, on each axis; none where it is incomplete.

    Args:
        found: the objective's curves.
        targets: (n,) float64, scores with greater being better; evenly over the baseline's curve
            when None. A target that was not measured on an axis is left out there.
    """
    made: dict[Axis, tuple[SpeedupAt, ...]] = {}
    for axis in found.headline:
        with suppress(ValueError):
            made[axis] = speedup_function(*found.evidence.curves[axis], targets=targets)
    return made


def speedup_table(results: StudyResults, source: CurveSource) -> str:
    """Objective and target, and the speedup on each axis; the verdicts' own target first."""
    final = float(source_curves(results, source)[results.plan.baseline].scores[-1].mean())
    targets = _targets(results, source)
    lines = []
    for found in speedups(results, source).values():
        if not found.headline:
            continue
        ends = {axis: (f.estimate, f.low, f.high) for axis, f in found.headline.items()}
        lines.append(_line(results, source, found, (final, "its end, as judged"), ends))
        for target, words in targets:
            made = functions(found, np.array([target])).items()
            ends = {a: (f[0].estimate, f[0].low, f[0].high) for a, f in made if f}
            value = source.sign * target
            lines.append(_line(results, source, found, (value, words), ends))
    return markdown(pd.DataFrame(lines)) if lines else ""


def _line(
    results: StudyResults,
    source: CurveSource,
    found: Speedups,
    target: tuple[float, str],
    ends: Mapping[Axis, tuple[Bound, Bound | None, Bound | None]],
) -> dict[str, str]:
    """One row: a score of the baseline, where its curve has it, and estimate, low and high."""
    value, where = target
    return {
        "objective": found.objective,
        f"{results.plan.baseline}'s {source.words}": source.text(value),
        "where it is that": where,
    } | {AXIS_WORDS[a]: speedup_text(*ends[a]) if a in ends else DASH for a in AXES}


def _targets(results: StudyResults, source: CurveSource) -> list[tuple[float, str]]:
    """Scores of the baseline, greater being better, in words; none where its curve is flat."""
    curve = source_curves(results, source)[results.plan.baseline]
    means = isotonic(source.sign * curve.scores.mean(axis=1))
    first, last = float(means[0]), float(means[-1])
    return [(first + part * (last - first), words) for part, words in _PARTS if last > first]
