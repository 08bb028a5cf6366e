"""Encoders that a suite cannot score: which columns of whom, and why.

That is no gap: the evaluation was done, and its record says why it has no number.
"""

from __future__ import annotations

from objbench.judge.formatting import listed
from objbench.results.plan import PlannedSuite
from objbench.results.records import EvaluationRecord
from objbench.results.study_results import StudyResults


def unscored(results: StudyResults, suite: PlannedSuite, objective: str) -> dict[str, str]:
    """Column -> why the objective's encoders have no score there, in the order of the columns."""
    reasons: dict[str, str] = {}
    for cell in results.evaluations(suite.name, objective):
        record = results.records.get(cell.id)
        if isinstance(record, EvaluationRecord):
            reasons.update(record.unscored)
    names = [column.name for column in suite.columns]
    return {name: reasons[name] for name in names if name in reasons}


def unscored_reason(results: StudyResults, suite: PlannedSuite, objective: str) -> str:
    """Why the objective has no average on the suite; "" where nothing is known to forbid it."""
    found = unscored(results, suite, objective)
    needed = (name for group in suite.average_groups for name in group)
    return next((found[name] for name in needed if name in found), "")


def unscored_sentence(results: StudyResults, suite: PlannedSuite) -> str:
    """What the suite's dashes mean that are no gaps; "" where there are none."""
    whose: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for objective in results.plan.objectives:
        found = unscored(results, suite, objective.name)
        for why in dict.fromkeys(found.values()):
            columns = tuple(name for name in found if found[name] == why)
            whose.setdefault((why, columns), []).append(objective.name)
    parts = []
    for (why, columns), names in whose.items():
        where = "" if len(columns) == len(suite.columns) else f" on {listed(columns)}"
        parts.append(f"{listed(names)}{where} ({why})")
    return f"Cannot be scored: {'; '.join(parts)}." if parts else ""
