"""The ranking by one score: who is where, by how much, and how surely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from objbench.contract.meters import AXES, AXIS_WORDS
from objbench.judge.formatting import count
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.ranks import MOST_GROUPED, MOST_PAIRED
from objbench.leaderboard.document import Block, Cell, Table, table
from objbench.leaderboard.floors import FloorRow
from objbench.leaderboard.quantity import Quantity, estimated, quantity
from objbench.leaderboard.ranking import Improvement, Row
from objbench.leaderboard.report import CurveReport, Report, SuiteReport
from objbench.leaderboard.speedups import speedup_quantity

BASELINE = "baseline"
GROUP = "group"
"""The title of the column of letters."""


def ranking_table(report: Report, suite: SuiteReport, rows: Sequence[Row]) -> Table:
    """Rank, score, gain over the baseline, and how often it is better; then the suite's floors."""
    floors: list[dict[str, Cell]] = [
        {"objective": floor_words(floor), "score": estimated(floor.score, "points")}
        for floor in suite.floors.rows
        if floor.score is not None
    ]
    return table([*(_line(report, row) for row in rows), *floors], text_columns=2)


def floor_words(floor: FloorRow) -> str:
    """What the row of a floor is called."""
    return f"floor: {floor.name}"


def gain_title(report: Report) -> str:
    """The title of the column of gains."""
    return f"gain over {report.baseline}"


def seeds_table(report: Report, suite: SuiteReport) -> list[Block]:
    """The score of every pretraining seed; nothing for a study of one seed.

    The standard deviation is of the runs that are not stuck.
    """
    if len(report.seeds) < 2 or not suite.is_ranked:
        return []
    names = [objective.name for objective in report.plan.objectives]
    lines = []
    for row in suite.rows:
        own = suite.found.scores[names.index(row.objective)]
        learnt = report.learning[row.objective].counted
        line: dict[str, Cell] = {"objective": row.objective}
        for seed, score, is_learnt in zip(report.seeds, own, learnt, strict=True):
            there, note = np.isfinite(score), "" if is_learnt else "stuck"
            line[f"seed {seed}"] = quantity(float(score), "points", note) if there else None
        deviation = None if row.score is None else row.score.deviation
        line["sd"] = None if deviation is None else quantity(deviation, "points")
        line["seeds better"] = _wins(row.improvement)
        lines.append(line)
    return [table(lines)]


def final_speedups(curve: CurveReport, names: Iterable[str]) -> list[Block]:
    """The speedup to the baseline's final score on each axis; nothing where none was compared."""
    lines: list[dict[str, Cell]] = []
    seeds = curve.curves[curve.baseline].scores.shape[1]
    for item in (curve.speedups[name] for name in names):
        if item.headline:
            line: dict[str, Cell] = {"objective": item.objective}
            for axis in AXES:
                finding = item.headline.get(axis)
                line[f"in {AXIS_WORDS[axis]}"] = (
                    None
                    if finding is None
                    else _noted(speedup_quantity(finding), finding.seeds, seeds)
                )
            lines.append(line)
    return [table(lines)] if lines else []


def _line(report: Report, row: Row) -> dict[str, Cell]:
    own = BASELINE if row.objective == report.baseline else None
    line: dict[str, Cell] = {"#": None if row.rank is None else str(row.rank)}
    line["objective"] = row.objective
    line["score"] = None if row.score is None else estimated(row.score, "points")
    if any(runs.is_known for runs in report.learning.values()):
        line["learnt"] = report.learning[row.objective].share
    if report.others:
        gain = row.gain
        line[gain_title(report)] = (
            own if gain is None else _noted(estimated(gain, "gain"), gain.runs, len(report.seeds))
        )
    if report.others and len(report.seeds) > 1:
        line["seeds better"] = own if row.improvement is None else _wins(row.improvement)
    if len(report.seeds) >= MIN_RUNS and len(report.plan.objectives) > MOST_PAIRED:
        line[f"vs {report.baseline}"] = own or _against(row)
    elif report.others and len(report.seeds) >= MIN_RUNS:
        # Below that all objectives are one group.
        line["rank [95%]"] = _ranks(row)
        if len(report.plan.objectives) <= MOST_GROUPED:
            line[GROUP] = row.group or None
    return line


def _noted(found: Quantity, pairs: int, seeds: int) -> Quantity:
    """What compares two objectives, with the number of pairs of runs that are too few."""
    is_few = pairs < min(seeds, MIN_RUNS)
    return replace(found, note=count(pairs, "pair")) if is_few else found


def _wins(found: Improvement | None) -> str | None:
    """At how many seeds it is better, with the exact interval of the share of all seeds."""
    if found is None or found.interval is None:
        return None
    low, high = found.interval
    wins = f"{found.share * found.seeds:g} of {found.seeds}"
    return f"{wins} [{100 * low:.0f}%, {100 * high:.0f}%]"


def _against(row: Row) -> str | None:
    """Whether it is better or worse than the baseline with all compared at once."""
    if row.gain is None or row.gain.interval is None:
        return None
    if not row.is_significant:
        return "not significant"
    return "better" if row.gain.mean > 0 else "worse"


def _ranks(row: Row) -> str | None:
    if row.ranks is None:
        return None
    low, high = row.ranks
    return str(low) if low == high else f"{low} to {high}"
