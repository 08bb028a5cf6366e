"""How a study was made, as tables: its objectives, its settings, and what is missing in it."""

from __future__ import annotations

from objbench.leaderboard.document import Block, Cell, Table, shortened, table
from objbench.leaderboard.missing import Gap, StaleRecords
from objbench.leaderboard.report import Report


def objectives_table(report: Report) -> Table:
    """Each objective with its options, tuned settings, plugin and budget in steps."""
    is_tuned = any(item.tuned for item in report.objectives)
    lines = []
    for item in report.objectives:
        line: dict[str, Cell] = {
            "objective": item.planned.name,
            "what": shortened(item.planned.summary),
            "steps": f"{item.planned.steps:,}",
            "options": item.options or None,
        }
        if is_tuned:
            line["tuned settings"] = item.tuned or None
        line["plugin"] = item.plugins or None
        line["reference"] = shortened(item.planned.reference) or None
        lines.append(line)
    return table(lines, text_columns=7)


def settings_table(report: Report) -> Table:
    """The study's main settings and what it was run with, one per row."""
    return Table(("setting", "value"), tuple(report.settings), text_columns=2)


def gaps_table(gaps: tuple[Gap, ...]) -> list[Block]:
    """The missing cells; nothing if there is none."""
    lines: list[dict[str, Cell]] = [
        {
            "objective": gap.objective,
            "seed": str(gap.seed),
            "what": gap.what + (f": {', '.join(gap.tasks)}" if gap.tasks else ""),
            "cells": str(gap.cells),
            "state": gap.state,
            "reason": shortened(gap.reason),
        }
        for gap in gaps
    ]
    return [table(lines, text_columns=6)] if lines else []


def stale_table(stale: tuple[StaleRecords, ...]) -> list[Block]:
    """The stale records, counted by what they are of; nothing if there is none."""
    lines: list[dict[str, Cell]] = [
        {
            "what": item.what,
            "objective": item.objective,
            "seed": str(item.seed),
            "records": str(item.records),
        }
        for item in stale
    ]
    return [table(lines, text_columns=3)] if lines else []
