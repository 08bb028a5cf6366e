"""What the objectives spent until they were down at each line, as a table."""

from __future__ import annotations

from objbench.contract.meters import AXES, AXIS_WORDS
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.document import Block, Cell, Paragraph, table
from objbench.leaderboard.line_spend import line_spends
from objbench.leaderboard.quantity import quantity
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.text_bits import BITS, in_bits

_HOW = (
    "What an objective had spent when its mean loss, over the runs that learnt, first reached a line"
    "{interval}. Bounds: < was reached before the first measured point, > not within the budget."
)


def line_spend_blocks(report: Report, curve: CurveReport) -> list[Block]:
    """Line and objective, and the spend on each axis; nothing where the curve has no lines."""
    if curve.lines is None:
        return []
    final = f"{curve.baseline}'s final loss"
    lines: list[dict[str, Cell]] = []
    for item in line_spends(curve.curves, curve.counted, curve.lines, curve.baseline, final):
        at = quantity(item.loss, "loss")
        line: dict[str, Cell] = {"line": item.line, "objective": item.objective, "loss": at}
        if report.characters_per_token is not None:
            line[BITS] = in_bits(at, report.characters_per_token)
        lines.append(line | {AXIS_WORDS[axis]: item.spend.get(axis) for axis in AXES})
    interval = " [95% interval]" if len(report.seeds) >= MIN_RUNS else ""
    return (
        [Paragraph(_HOW.format(interval=interval)), table(lines, text_columns=2)] if lines else []
    )
