"""A row's cells for cooldown branches and tuning trials, which its own spend leaves out."""

from __future__ import annotations

from objbench.judge.formatting import DASH, amount, count, duration
from objbench.judge.spending import Spent, spent
from objbench.results.study_results import StudyResults


def apart_cells(results: StudyResults, objective: str) -> dict[str, str]:
    """A row's cells for branches and tuning; the study's tables have either or neither."""
    taken = {item.name: spent(results, item.name) for item in results.plan.objectives}
    cells = {}
    if any(other.branch_steps for other in taken.values()):
        cells["branches, apart"] = _branches_text(taken[objective])
    if any(other.trials for other in taken.values()):
        cells["tuning"] = _tuning_text(taken[objective])
    return cells


def _branches_text(taken: Spent) -> str:
    """The branches of a run: "1,200 steps, 2.10 min"."""
    if not taken.runs:
        return DASH
    return f"{taken.branch_steps:,.0f} steps, {duration(taken.branch_seconds)}"


def _tuning_text(taken: Spent) -> str:
    """The trials and what they spent: "3 trials: 1.20e14 FLOPs, 31.0 min"."""
    if not taken.trials:
        return DASH
    flops = sum(meters.flops for meters in taken.trial_runs)
    seconds = sum(meters.seconds for meters in taken.trial_runs)
    text = f"{count(taken.trials, 'trial')}: {amount(flops)} FLOPs, {duration(seconds)}"
    unknown = taken.trials - len(taken.trial_runs)
    return text + (f" ({unknown} not recorded)" if unknown else "")
