"""A suite's columns: their scores, how much reseeding alone moves them, and where a gain comes from.

Everything is paired by pretraining seed; gains are objective minus baseline in the column's own
unit, whichever direction is better.

Shape legend: O objectives, S pretraining seeds, C columns, F fine-tuning seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from objbench.judge.formatting import (
    DASH,
    count,
    difference_text,
    listed,
    markdown,
    points,
    score_text,
    signed,
    three_digits,
)
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.statistics.estimate import MIN_RUNS, Estimate, FloatArray, estimate
from objbench.judge.statistics.gain_by_task import (
    average,
    average_gain,
    contributions,
    leave_one_out,
    task_gains,
)
from objbench.judge.statistics.noise_floor import Noise, noise_floors
from objbench.leaderboard.ranking import ranking
from objbench.results.plan import PlannedSuite
from objbench.results.study_results import StudyResults


def column_table(results: StudyResults, found: SuiteScores) -> str:
    """The suite's columns, one a row, and its average, for every objective, with their noise."""
    objectives = [objective.name for objective in results.plan.objectives]
    lines = []
    for number, column in enumerate(found.suite.columns):
        better = "" if column.direction == "max" else " (lower is better)"
        line = {"column": column.name, "metric": " and ".join(column.metrics) + better}
        for index, objective in enumerate(objectives):
            line[objective] = _seeds_text(found.columns[index, :, number])
        lines.append(line | _noise_cells(found.values[:, :, number]))
    if found.suite.average_groups:
        line = {"column": "**average**", "metric": found.suite.average_label}
        for index, objective in enumerate(objectives):
            line[objective] = _seeds_text(found.scores[index])
        averages = average(found.values, average_groups(found.suite), axis=-2)
        lines.append(line | _noise_cells(averages))
    return markdown(pd.DataFrame(lines), left=2)


def gain_tables(results: StudyResults, found: SuiteScores) -> dict[str, str]:
    """Ranked objective -> its gains over the baseline, column by column; without the baseline."""
    names = [objective.name for objective in results.plan.objectives]
    base = names.index(results.plan.baseline)
    ranked = {row.objective for row in ranking(results, found) if row.gain is not None}
    return {
        name: _gain_table(found, found.values[index], found.values[base])
        for index, name in enumerate(names)
        if name in ranked
    }


def average_groups(suite: PlannedSuite) -> list[list[int]]:
    """The columns of each group of the suite's average, by index."""
    place = {column.name: index for index, column in enumerate(suite.columns)}
    return [[place[name] for name in group] for group in suite.average_groups]


def _gain_table(found: SuiteScores, candidate: FloatArray, baseline: FloatArray) -> str:
    """The table of one objective; (S, C, F) float64 each."""
    suite = found.suite
    groups = average_groups(suite)
    whole = np.isfinite(candidate).all(axis=(0, 2)) & np.isfinite(baseline).all(axis=(0, 2))
    there = np.flatnonzero(whole)
    gains = dict(
        zip(there.tolist(), task_gains(candidate[:, there], baseline[:, there]), strict=True)
    )
    parts = contributions(candidate, baseline, groups)
    without = leave_one_out(candidate, baseline, groups) if len(groups) > 1 else None
    lines = []
    for number, column in enumerate(suite.columns):
        gain = gains.get(number)
        group = next((g for g, columns in enumerate(groups) if number in columns), None)
        line = {
            "column": column.name,
            "gain": DASH if gain is None else difference_text(gain.gain, brief=True),
            "p (Holm)": DASH if gain is None or gain.p_value is None else _p_text(gain.p_value),
            "told apart": DASH
            if gain is None or gain.p_value is None
            else ("yes" if gain.significant else "no"),
            "adds to the average": "not in it",
            "average's gain without it": DASH,
        }
        if group is not None:
            line["adds to the average"] = _adds_text(suite, group, number, groups, parts)
            if without is not None:
                line["average's gain without it"] = difference_text(without[group], brief=True)
        lines.append(line)
    total = average_gain(candidate, baseline, groups)
    lines.append(
        {
            "column": "**average**",
            "gain": difference_text(total, brief=True),
            "p (Holm)": DASH,
            "told apart": DASH,
            "adds to the average": signed(total.mean),
            "average's gain without it": DASH,
        }
    )
    return markdown(pd.DataFrame(lines))


def _adds_text(
    suite: PlannedSuite,
    group: int,
    number: int,
    groups: Sequence[Sequence[int]],
    parts: Sequence[Estimate],
) -> str:
    """A group's part of the average's gain, printed once for all of its columns."""
    others = [suite.columns[column].name for column in groups[group] if column != number]
    if number != groups[group][0]:
        return f"see {suite.columns[groups[group][0]].name}"
    return signed(parts[group].mean) + (f" (with {listed(others)})" if others else "")


def _noise_cells(values: FloatArray) -> dict[str, str]:
    """The noise of one task from (O, S, F) scores, pooled over the objectives that are whole."""
    whole = values[np.isfinite(values).all(axis=(1, 2))]
    if values.shape[1] < 2:
        return {}
    noise = noise_floors(whole[:, :, None])[0] if len(whole) else None
    cells = {
        "sd of pretraining": _noise_text(noise, "pretrain"),
        "sd of fine-tuning": _noise_text(noise, "finetune"),
    }
    if values.shape[2] < 2:
        # Without a second fine-tuning seed there is one spread, which holds both.
        cells = {"sd of seeds": _noise_text(noise, "deviation")}
    if values.shape[1] >= MIN_RUNS:
        cells["noise floor"] = _noise_text(noise, "floor")
    return cells


def _noise_text(noise: Noise | None, field: str) -> str:
    value = None if noise is None else getattr(noise, field)
    return DASH if value is None else points(value)


def _p_text(value: float) -> str:
    return "<0.001" if value < 0.001 else three_digits(float(f"{value:.3f}"))


def _seeds_text(values: FloatArray) -> str:
    """A score over the seeds that are there; how many they are, unless it is all."""
    there = values[np.isfinite(values)]
    if there.size == 0:
        return DASH
    if there.size == values.size:
        return score_text(estimate(there))
    return f"[{there.size} of {count(values.size, 'seed')}] {points(float(np.mean(there)))}"
