"""A suite's columns at every point of the budget, where no curve suite draws them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from objbench.judge.formatting import DASH, count, markdown, points, score_text
from objbench.judge.score_arrays import column_curves
from objbench.judge.statistics.estimate import FloatArray, estimate
from objbench.results.plan import PlannedSuite
from objbench.results.study_results import StudyResults


def budget_table(results: StudyResults, suite: PlannedSuite) -> str:
    """One row a point and objective; "" for a suite that was run at the end only, or is drawn."""
    curves = column_curves(results, suite)
    is_drawn = any(other.follows == suite.name for other in results.curve_suites)
    if len(curves.shares) < 2 or is_drawn:
        return ""
    lines = []
    for point, share in enumerate(curves.shares):
        for row, objective in enumerate(results.plan.objectives):
            line = {"budget": f"{100 * share:.3g}%", "objective": objective.name}
            for number, column in enumerate(suite.columns):
                line[column.name] = _text(curves.values[point, row, :, number])
            lines.append(line)
    return markdown(pd.DataFrame(lines), left=2)


def _text(values: FloatArray) -> str:
    """The mean over the (S,) seeds that are there, and how many they are, unless it is all."""
    there = values[np.isfinite(values)]
    if there.size == 0:
        return DASH
    if there.size < values.size:
        return f"[{there.size} of {count(values.size, 'seed')}] {points(float(there.mean()))}"
    return score_text(estimate(there), brief=True)
