"""A suite's columns as tables: their scores, their noise, and where an objective's gain comes from.

A column that is at its floor has a dagger, and is never set in bold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from objbench.judge.formatting import count, listed
from objbench.judge.score_arrays import ColumnCurves
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.noise_floor import Noise
from objbench.leaderboard.columns import ColumnGain, ColumnScores, Gains, SeedScores, seed_scores
from objbench.leaderboard.document import Block, Cell, Strong, Table, table
from objbench.leaderboard.floors import AVERAGE
from objbench.leaderboard.foremost import MOST_ROWS
from objbench.leaderboard.quantity import Notation, Quantity, estimated, quantity
from objbench.leaderboard.report import Report, SuiteReport

DAGGER = "†"
GAIN = "gain"
"""The title of the column of gains."""


def column_table(report: Report, suite: SuiteReport) -> Table:
    """The suite's columns, one per row, and its average, for every objective, with their noise.

    Beside the objectives the floors.
    """
    return table(_column_lines(report, suite, has_objectives=True), text_columns=2)


def _column_lines(
    report: Report, suite: SuiteReport, *, has_objectives: bool
) -> list[dict[str, Cell]]:
    has_tries = suite.found.values.shape[-1] > 1
    lines = []
    for column in suite.columns:
        cells: dict[str, Cell] = {}
        if has_objectives:
            cells |= {n: seeds_quantity(own, "points") for n, own in column.scores.items()}
        for floor in suite.floors.rows:
            found = floor.score if column.name == AVERAGE else floor.columns.get(column.name)
            cells[f"floor: {floor.name}"] = None if found is None else estimated(found, "points")
        lines.append(_column_line(suite, column, cells, len(report.seeds), has_tries))
    return lines


def columns_tables(report: Report, suite: SuiteReport) -> list[Block]:
    """As ``column_table``; many objectives have a row each, in a table of their own."""
    if len(suite.rows) <= MOST_ROWS:
        return [column_table(report, suite)]
    noise = _column_lines(report, suite, has_objectives=False)
    lines: list[dict[str, Cell]] = [
        {
            "objective": row.objective,
            **{
                marked(suite, c.name): seeds_quantity(c.scores[row.objective], "points")
                for c in suite.columns
            },
        }
        for row in suite.rows
    ]
    return [table(noise, text_columns=2), table(lines)]


def marked(suite: SuiteReport, column: str) -> str:
    """The name of a column, with a dagger where it is at its floor."""
    return f"{column} {DAGGER}" if column in suite.floors.at_floor else column


def floor_note(suite: SuiteReport) -> str:
    """What the daggers mean; "" where there is none."""
    if not suite.floors.at_floor:
        return ""
    return (
        f"{DAGGER} at its floor: no objective's runs that learnt are above the best floor by a 95% "
        "t-interval."
    )


def look_note(report: Report) -> str:
    """That a table is not at the look; "" where there is one look, or no interval."""
    if report.look.is_plain or len(report.seeds) < MIN_RUNS:
        return ""
    return f"Over all {len(report.seeds)} seeds at 95%, which does not allow for several looks."


def gain_table(report: Report, suite: SuiteReport, gains: Gains) -> Table:
    """The gain of one objective on each column, and what each column does to the average."""
    has_tests = gains.average.runs >= MIN_RUNS
    lines = [
        {**_gain_line(gain, has_tests), "column": marked(suite, gain.name)}
        for gain in gains.columns
    ]
    average: dict[str, Cell] = {
        "column": _bold(suite, AVERAGE),
        GAIN: estimated(gains.average, "gain"),
        "adds to the average": quantity(gains.average.mean, "gain"),
    }
    return table([*lines, average])


def budget_table(report: Report, suite: SuiteReport, curves: ColumnCurves) -> Table:
    """The columns at every point of the budget: one row per point and objective above the fold."""
    lines = []
    shown = suite.above_fold(report.baseline)
    for point, share in enumerate(curves.shares):
        for row, objective in enumerate(report.plan.objectives):
            if objective.name not in shown:
                continue
            line: dict[str, Cell] = {
                "budget": quantity(share, "percent"),
                "objective": objective.name,
            }
            for number, column in enumerate(suite.suite.columns):
                own = seed_scores(
                    curves.values[point, row, :, number], report.learning[objective.name]
                )
                line[marked(suite, column.name)] = seeds_quantity(own, "points")
            lines.append(line)
    return table(lines, text_columns=2)


def seeds_quantity(found: SeedScores, notation: Notation) -> Quantity | None:
    """A mean over the seeds that are there and learnt, and how many they are where some are not."""
    if found.found is None:
        return None
    whole = found.seeds if found.counted is None else found.counted or found.seeds
    notes = [] if found.counted is None else [f"{found.learnt} learnt"]
    if found.found.runs == whole:
        return replace(estimated(found.found, notation), note=", ".join(notes))
    # An interval over a part of the seeds would be one over those that got there.
    notes.insert(0, f"{found.found.runs} of {count(whole, 'seed')}")
    return quantity(found.found.mean, notation, ", ".join(notes))


def _bold(suite: SuiteReport, column: str) -> Cell:
    """The average in bold, unless it is at its floor."""
    text = marked(suite, column)
    return Strong(text) if column == AVERAGE and text == column else text


def _column_line(
    suite: SuiteReport,
    column: ColumnScores,
    scores: Mapping[str, Cell],
    seeds: int,
    has_tries: bool,
) -> dict[str, Cell]:
    metric = column.metric + (" (lower is better)" if column.is_lower_better else "")
    line: dict[str, Cell] = {"column": _bold(suite, column.name), "metric": metric, **scores}
    if seeds > 1:
        if has_tries:
            line["sd of pretraining"] = _noise(column.noise, "pretrain")
            line["sd of fine-tuning"] = _noise(column.noise, "finetune")
        else:
            # Without a second fine-tuning seed there is one spread, which holds both.
            line["sd of seeds"] = _noise(column.noise, "deviation")
    if seeds >= MIN_RUNS:
        line["noise floor"] = _noise(column.noise, "floor")
    return line


def _noise(noise: Noise | None, field: str) -> Quantity | None:
    value = None if noise is None else getattr(noise, field)
    return None if value is None else quantity(value, "points")


def _gain_line(gain: ColumnGain, has_tests: bool) -> dict[str, Cell]:
    line: dict[str, Cell] = {
        "column": gain.name,
        GAIN: None if gain.gain is None else estimated(gain.gain, "gain"),
    }
    if has_tests:
        is_tested = gain.p_value is not None
        line["p (Holm)"] = None if gain.p_value is None else quantity(gain.p_value, "p")
        line["significant"] = ("yes" if gain.is_significant else "no") if is_tested else None
    line["adds to the average"] = _adds(gain)
    if gain.without is not None:
        line["gain without this column"] = estimated(gain.without, "gain")
    return line


def _adds(gain: ColumnGain) -> Cell:
    """A group's part of the average's gain, written once for all of its columns."""
    if gain.adds is None:
        return "not in it"
    if gain.name != gain.group[0]:
        return f"see {gain.group[0]}"
    others = list(gain.group[1:])
    return quantity(gain.adds.mean, "gain", f"with {listed(others)}" if others else "")
