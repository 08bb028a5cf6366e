"""The leaderboard in a few lines of plain text."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from tabulate import tabulate

from objbench.judge.formatting import DASH, count
from objbench.judge.verdict_sentence import sentence
from objbench.leaderboard.curve_sources import score_words
from objbench.leaderboard.document import (
    Block,
    Bullets,
    Cell,
    Heading,
    Link,
    Paragraph,
    Strong,
    Table,
    Text,
    bullets,
    paragraph,
)
from objbench.leaderboard.headline import headline
from objbench.leaderboard.learning_sections import learning_sentence
from objbench.leaderboard.missing import gaps_sentence, missing_tasks
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.report import Report
from objbench.leaderboard.sent_words import sent_blocks
from objbench.leaderboard.tables.ranking import final_speedups, ranking_table
from objbench.results.plan import Plan


def terminal_summary(report: Report) -> str:
    """The headline, the rankings, the speedups, the verdicts and the caveats as plain text."""
    return render_text(summary_document(report))


def summary_document(report: Report) -> list[Block]:
    """What the terminal shows of a report."""
    blocks: list[Block] = [
        *sent_blocks(report.sent_in)[:1],
        Paragraph(headline(report)),
        *paragraph(learning_sentence(report)),
    ]
    for suite in report.suites:
        if suite.is_ranked:
            blocks += [Heading(2, suite.suite.name), ranking_table(report, suite, suite.rows)]
    for curve in report.curves:
        speedups = final_speedups(curve, curve.speedups)
        if speedups:
            title = f"Speedup to {report.baseline}'s final {curve.source.words}"
            blocks += [Heading(2, title), *speedups]
    claims = [
        f"{item.title}{_by(report.plan, item.source)}: {sentence(item)}"
        for item in report.foremost_verdicts
    ]
    left = len(report.listed_verdicts) - len(report.foremost_verdicts)
    if left:
        claims.append(f"{count(left, 'more verdict')} on papers' claims: see the page.")
    unranked = [
        f"Not ranked on {suite.suite.name}: {row.objective} ({row.why})."
        for suite in report.suites
        for row in suite.rows
        if suite.is_ranked and row.rank is None
    ]
    missing = missing_tasks(suite.suite for suite in report.suites)
    gaps = gaps_sentence(len(report.plan.cells), report.gaps, report.stale)
    return [*blocks, *paragraph(gaps), *bullets([*claims, *unranked, *missing, *report.caveats])]


def _by(plan: Plan, source: str) -> str:
    return f", by {score_words(plan, source)}" if source else ""


def render_text(document: Sequence[Block]) -> str:
    """A document of headings, paragraphs, lists and tables as plain text."""
    return "\n\n".join(_block(block) for block in document) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(_, text) | Paragraph(text):
            return _text(text)
        case Bullets(items):
            return "\n".join(
                indent(_block(item), "  ") if isinstance(item, Bullets) else f"* {_text(item)}"
                for item in items
            )
        case Table(columns, rows):
            cells = [[_cell(cell) for cell in row] for row in rows]
            headers = [column.replace(" over ", " over\n") for column in columns]
            return tabulate(cells, headers, tablefmt="simple", disable_numparse=True)
        case _:
            raise TypeError(f"the terminal shows no {type(block).__name__}")


def _cell(cell: Cell) -> str:
    if cell is None:
        return DASH
    return cell.text if isinstance(cell, Quantity) else _text(cell)


def _text(text: Text) -> str:
    match text:
        case str():
            return text
        case Strong(inner) | Link(inner, _):
            return inner
        case _:
            return "".join(_text(part) for part in text)
