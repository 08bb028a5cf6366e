"""The speedup at several scores of the baseline, as a table: one number would be one choice."""

from __future__ import annotations

from objbench.contract.meters import AXES, AXIS_WORDS
from objbench.judge.score_source import COMMON
from objbench.leaderboard.document import Block, Cell, table
from objbench.leaderboard.quantity import quantity
from objbench.leaderboard.report import CurveReport, Report
from objbench.leaderboard.text_bits import BITS, in_bits


def speedup_table(report: Report, curve: CurveReport) -> list[Block]:
    """Objective and target, and the speedup on each axis; the verdicts' own target first."""
    lines: list[dict[str, Cell]] = []
    for item in curve.speedups.values():
        early = [item.early] if item.early is not None else []
        for at in (*item.targets[:1], *early, *item.targets[1:]):
            target = quantity(at.score, curve.source.notation)
            line: dict[str, Cell] = {"objective": item.objective}
            line[f"{report.baseline}'s {curve.source.words}"] = target
            if curve.source.name == COMMON and report.characters_per_token is not None:
                line[BITS] = in_bits(target, report.characters_per_token)
            line["point of its curve"] = at.where
            lines.append(line | {AXIS_WORDS[axis]: at.speedups.get(axis) for axis in AXES})
    return [table(lines)] if lines else []
