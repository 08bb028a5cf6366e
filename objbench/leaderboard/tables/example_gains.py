"""The gains with intervals over seeds and examples: one row per column, one column per objective."""

from __future__ import annotations

from objbench.leaderboard.document import Block, Cell, Strong, paragraph, table
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.tables.columns import look_note


def example_gains_blocks(report: Report, suite: SuiteReport) -> list[Block]:
    """The table and what its intervals are; nothing where no examples are stored."""
    shown = suite.above_fold(report.baseline)
    made = [own for own in suite.example_gains if own.objective in shown]
    if not made:
        return []
    lines: list[dict[str, Cell]] = []
    for column in suite.suite.columns:
        line: dict[str, Cell] = {"column": column.name}
        line |= {own.objective: own.columns.get(column.name) for own in made}
        lines.append(line)
    if any(own.average is not None for own in made):
        lines.append({"column": Strong("average"), **{own.objective: own.average for own in made}})
    text = (
        f"Gains over {report.baseline}. Brackets: 95% interval over seeds and evaluation examples, "
        "both of which are samples. The other tables' intervals are over seeds on the same "
        "examples. Not corrected for the number of columns."
    )
    return [*paragraph(text, look_note(report)), table(lines)]
