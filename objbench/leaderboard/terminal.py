"""The leaderboard in a few lines of plain text."""

from __future__ import annotations

from pathlib import Path

from tabulate import tabulate

from objbench.contract.meters import AXES, AXIS_WORDS
from objbench.judge.formatting import DASH, difference_text, score_text
from objbench.judge.score_arrays import final_scores
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.verdict_sentence import sentence
from objbench.leaderboard.caveats import limits, verdicts
from objbench.leaderboard.curve_sources import CurveSource, curve_sources
from objbench.leaderboard.ranking import ranking
from objbench.leaderboard.speedups import brief_bound, speedups
from objbench.leaderboard.verdicts import judged_claims
from objbench.results.plan import PlannedSuite
from objbench.results.study_results import StudyResults


def terminal_summary(results: StudyResults, page: Path | None = None) -> str:
    """The ranking, the verdicts, what it shows, and where the leaderboard lies, as plain text.

    Args:
        results: the plan and its records; what a page has computed of it is not computed again.
        page: the leaderboard's page, named at the end; left out if None.
    """
    parts = [_suite_summary(results, suite) for suite in results.suites]
    claims = [
        f"{item.title}{f', by {item.source}' if item.source else ''}: {sentence(item)}"
        for item in judged_claims(results)
    ]
    shown = (*claims, *verdicts(results), *limits(results))
    parts.append("\n".join(f"* {text}" for text in shown))
    if page is not None:
        parts.append(f"Leaderboard: {page}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _suite_summary(results: StudyResults, suite: PlannedSuite) -> str:
    if not suite.average_groups:
        # Nobody is ranked by it; its numbers are on the page.
        return ""
    source = next((s for s in curve_sources(results) if s.name == suite.name), None)
    lines = []
    for row in ranking(results, final_scores(results, suite)):
        baseline = "baseline" if row.objective == results.plan.baseline else DASH
        line = {"#": DASH if row.rank is None else str(row.rank), "objective": row.objective}
        if len(results.seeds) >= MIN_RUNS:
            # Below that all are one group.
            line["group"] = row.group or DASH
        line[suite.name] = DASH if row.score is None else score_text(row.score, brief=True)
        line[f"gain over\n{results.plan.baseline}"] = (
            baseline if row.gain is None else difference_text(row.gain, brief=True)
        )
        if source is not None:
            line |= _speedup_cells(results, source, row.objective, ranked=row.rank is not None)
        lines.append(line)
    return tabulate(lines, headers="keys", tablefmt="simple", disable_numparse=True)


def _speedup_cells(
    results: StudyResults, source: CurveSource, objective: str, *, ranked: bool
) -> dict[str, str]:
    found = speedups(results, source).get(objective) if ranked else None
    cells = {}
    for axis in AXES:
        title = f"speedup\nin {AXIS_WORDS[axis]}".replace("device ", "device\n")
        finding = None if found is None else found.headline.get(axis)
        cells[title] = DASH if finding is None else brief_bound(finding.estimate)
    return cells
