"""What is folded away of each suite: protocol, columns, seeds, curves, gains on each column."""

from __future__ import annotations

from objbench.judge.formatting import listed
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.leaderboard.document import Block, Cell, Fold, Heading, Paragraph, paragraph, table
from objbench.leaderboard.report import Report, SuiteReport
from objbench.leaderboard.tables.columns import (
    budget_table,
    columns_tables,
    floor_note,
    gain_table,
    look_note,
)
from objbench.leaderboard.tables.example_gains import example_gains_blocks
from objbench.leaderboard.tables.ranking import seeds_table


def suite_details(report: Report, suite: SuiteReport) -> list[Block]:
    """What a suite measured beyond its ranking, each kind in a fold."""
    name = suite.suite.name
    protocol = f"{suite.suite.summary.rstrip('.')}. Protocol: {suite.suite.protocol.rstrip('.')}."
    if not suite.is_ranked:
        protocol += " It has no average: its numbers are neither better nor worse."
    blocks: list[Block] = [
        Paragraph(protocol),
        *paragraph(suite.unscored, look_note(report)),
        *columns_tables(report, suite),
        *paragraph(_floors_words(report, suite), floor_note(suite)),
    ]
    if suite.interquartile:
        blocks += _interquartile(report, suite)
    folds: list[Block] = [Fold(f"{name}: protocol and columns", blocks)]
    seeds = seeds_table(report, suite)
    if seeds:
        folds.append(Fold(f"{name}: the score of every seed", seeds))
    shown = suite.above_fold(report.baseline)
    level = f" {note}" if (note := look_note(report)) else ""
    best = f" Shown for the best {len(shown) - 1}." if len(shown) < len(suite.rows) else ""
    if suite.along_budget is not None:
        number = len(report.seeds)
        means = Paragraph(
            f"Scores of one pretraining seed.{best}"
            if number == 1
            else f"Means over {number} pretraining seeds.{level}{best}"
        )
        along = budget_table(report, suite, suite.along_budget)
        folds.append(Fold(f"{name} over the budget", [means, along]))
    if suite.gains:
        blocks = [Paragraph(f"{gains_sentence(report)}{level}{best}")]
        for gains in (own for own in suite.gains if own.objective in shown):
            blocks += [
                Heading(4, f"{gains.objective} against {report.baseline}"),
                gain_table(report, suite, gains),
            ]
        folds.append(Fold(gains_title(name), blocks))
    blocks = example_gains_blocks(report, suite)
    if blocks:
        folds.append(Fold(f"{name}: gains over seeds and examples", blocks))
    if suite.other_curves:
        lines: list[dict[str, Cell]] = [
            {"objective": item.name, **_texts(suite, item.name)} for item in report.plan.objectives
        ]
        folds.append(Fold(f"{name}: other numbers of its curves", [table(lines)]))
    return folds


def _floors_words(report: Report, suite: SuiteReport) -> str:
    """What the floors are; "" where none was measured."""
    if not suite.floors.rows:
        return ""
    if report.plan.checkpoint:
        return (
            "Floors: what the same examples give without any further pretraining; checkpoint: what "
            "every run continues from, as it was, over all fine-tuning seeds."
        )
    return (
        "Floors: what the same examples give without any pretraining; untrained: an encoder with its "
        "initial weights, at the study's seeds."
    )


def _texts(suite: SuiteReport, objective: str) -> dict[str, Cell]:
    return {column: values[objective].text for column, values in suite.other_curves.items()}


def _interquartile(report: Report, suite: SuiteReport) -> list[Block]:
    groups = [" and ".join(group) for group in suite.suite.average_groups]
    text = (
        f"Interquartile mean of the gains over {report.baseline}: the mean of the middle half of "
        f"all seeds x {len(groups)} tasks ({listed(groups)})."
    )
    if len(report.seeds) >= MIN_RUNS:
        text += " Its interval is t with the standard error of a bootstrap over the seeds."
    lines: list[dict[str, Cell]] = [
        {"objective": name, "interquartile mean gain": found}
        for name, found in suite.interquartile.items()
    ]
    return [Paragraph(text), table(lines)]


def gains_title(suite: str) -> str:
    """The title of the fold with the gains on the columns of a suite."""
    return f"{suite}: the gain on each column"


def gains_sentence(report: Report) -> str:
    """How the gains on single columns are tested."""
    text = (
        "Differences are paired by seed; the per-column contributions sum to the gain of the "
        "average."
    )
    if len(report.seeds) < MIN_RUNS:
        return text
    return (
        f"{text} Significant: by the paired t-test at 5%, corrected for the number of columns "
        "(Holm). The gains without a column are not corrected: they are one verdict seen several "
        "times."
    )
