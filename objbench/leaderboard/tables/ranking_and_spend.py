"""The ranking as tables: who is where and how surely, then what it took and how much faster.

Both have one row an objective, in the order of the ranking.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from objbench.contract.meters import AXES, AXIS_WORDS
from objbench.judge.formatting import (
    DASH,
    amount,
    difference_text,
    duration,
    markdown,
    points,
    score_text,
)
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.spending import Spent, spent
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.curve_sources import CurveSource
from objbench.leaderboard.curve_values import curve_values, other_columns
from objbench.leaderboard.ranking import Improvement, Row, ranking
from objbench.leaderboard.speedups import Speedups, speedup_text, speedups
from objbench.leaderboard.spending import apart_cells
from objbench.leaderboard.teacher_sentences import uncounted_cells
from objbench.results.study_results import StudyResults


def ranking_table(results: StudyResults, found: SuiteScores) -> str:
    """Rank, group and rank interval, score, gain over the baseline, and how often it is better."""
    baseline = results.plan.baseline
    lines = []
    for row in ranking(results, found):
        own = "baseline" if row.objective == baseline else DASH
        line = {
            "#": DASH if row.rank is None else str(row.rank),
            "objective": row.objective,
            "group": row.group or DASH,
            "rank, 95%": _ranks_text(row),
            "score": DASH if row.score is None else score_text(row.score),
        }
        if len(results.seeds) >= MIN_RUNS:
            deviation = None if row.score is None else row.score.deviation
            line["sd"] = DASH if deviation is None else points(deviation)
        line["seeds"] = DASH if row.score is None else str(row.score.runs)
        line[f"gain over {baseline}"] = own if row.gain is None else difference_text(row.gain)
        line["P(better)"] = own if row.improvement is None else _improvement_text(row.improvement)
        lines.append(line)
    return markdown(pd.DataFrame(lines), left=3)


def spend_table(results: StudyResults, found: SuiteScores, source: CurveSource | None) -> str:
    """Speedup on each axis, where the suite has curves, and what pretraining and tuning took.

    Args:
        results: the study.
        found: the scores that rank the rows.
        source: the suite as a score with curves; None where it has none.
    """
    baseline = results.plan.baseline
    faster = {} if source is None else speedups(results, source)
    others = [suite for suite in results.curve_suites if suite.follows == found.suite.name]
    values = {suite.name: curve_values(results, suite) for suite in others if other_columns(suite)}
    lines = []
    for row in ranking(results, found):
        line = {"objective": row.objective}
        if source is not None:
            own = "baseline" if row.objective == baseline and row.rank is not None else DASH
            line |= _speedup_cells(row, faster.get(row.objective), own)
        for suite in others:
            for column in other_columns(suite):
                text = values[suite.name][row.objective, column.name].text
                # An objective that is not ranked is not compared on a curve either.
                line[column.name] = DASH if row.rank is None else text
        line |= _spend_cells(spent(results, row.objective))
        line |= apart_cells(results, row.objective) | uncounted_cells(results, row.objective)
        lines.append(line)
    return markdown(pd.DataFrame(lines))


def _speedup_cells(row: Row, found: Speedups | None, own: str) -> dict[str, str]:
    cells = {}
    for axis in AXES:
        finding = None if found is None or row.rank is None else found.headline.get(axis)
        cells[f"speedup in {AXIS_WORDS[axis]}"] = (
            own if finding is None else speedup_text(finding.estimate, finding.low, finding.high)
        )
    return cells


def _spend_cells(taken: Spent) -> dict[str, str]:
    if not taken.runs:
        return {"FLOPs": DASH, "device time": DASH}
    return {
        "FLOPs": amount(float(np.mean([meters.flops for meters in taken.runs]))),
        "device time": duration(float(np.mean([meters.seconds for meters in taken.runs]))),
    }


def _ranks_text(row: Row) -> str:
    if row.ranks is None:
        return DASH
    low, high = row.ranks
    return str(low) if low == high else f"{low} to {high}"


def _improvement_text(found: Improvement) -> str:
    text = f"{found.share:.2f}"
    if found.interval is None:
        return text
    low, high = found.interval
    return f"{text} [{low:.2f} to {high:.2f}]"
