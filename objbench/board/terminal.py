"""The leaderboard in a few lines of plain text."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from objbench.board.notation import DASH, difference_text, score_text
from objbench.board.ranking import ranking
from objbench.board.sentences import limits, verdicts
from objbench.board.speedups import axis_words, speedups
from objbench.plan import PlannedSuite
from objbench.score_arrays import final_scores
from objbench.standing import Standing, read_standing


def terminal_summary(run: Path, page: Path | None = None) -> str:
    """The ranking, what it shows, and where the leaderboard lies, as plain text.

    Args:
        run: the run folder.
        page: the leaderboard's page, named at the end; left out if None.

    Raises:
        RecordError: the plan or a record is missing or cannot be read.
    """
    standing = read_standing(run)
    parts = [_suite_summary(standing, suite) for suite in standing.suites]
    parts.append("\n".join(f"* {text}" for text in (*verdicts(standing), *limits(standing))))
    if page is not None:
        parts.append(f"Leaderboard: {page}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _suite_summary(standing: Standing, suite: PlannedSuite) -> str:
    curves = [
        (curve, speedups(standing, curve))
        for curve in standing.curve_suites
        if curve.follows == suite.name
    ]
    lines = []
    for row in ranking(standing, final_scores(standing, suite)):
        baseline = "baseline" if row.objective == standing.plan.baseline else DASH
        line = {
            "#": DASH if row.rank is None else str(row.rank),
            "objective": row.objective,
            suite.name: DASH if row.score is None else score_text(row.score, brief=True),
            f"gain over\n{standing.plan.baseline}": (
                baseline if row.gain is None else difference_text(row.gain, brief=True)
            ),
        }
        for curve, table in curves:
            for column in curve.columns:
                text = table[row.objective, column.name].short if row.rank is not None else DASH
                line[f"speedup\nin {axis_words(column.name)}".replace("device ", "device\n")] = text
        lines.append(line)
    return tabulate(lines, headers="keys", tablefmt="simple", disable_numparse=True)
