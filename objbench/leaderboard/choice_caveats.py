"""What a page has to say of how settings were chosen, and of whether pairing by seed paid.

A reader cannot see from a table that a setting was chosen at the end of what was tried, that one
lucky seed chose it, or that the runs of one seed have nothing in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from objbench.judge.formatting import listed, named
from objbench.judge.score_arrays import final_scores
from objbench.judge.statistics.ties import difference
from objbench.judge.trial_learning import without_reliable_setting
from objbench.leaderboard.run_learning import run_learning
from objbench.results.plan import PlannedObjective
from objbench.results.study_results import StudyResults

LEAST_SEEDS = 5
"""With fewer seeds a correlation says nothing: of three it is above 0.9 in a quarter of the cases."""

_MOST_COMPARED = 4


def choice_sentences(results: StudyResults) -> Iterator[str]:
    """Sentences for tuning on one seed, settings stuck on some of them, and the edge of the grid."""
    tuning = results.plan.asked.tuning
    seeds = {cell.seed for cell in results.plan.cells if cell.kind == "trial"}
    if tuning is None or not seeds:
        return
    if len(seeds) == 1:
        yield (
            "Settings were chosen on a single tuning seed, which cannot tell a setting that works "
            "from one that was lucky with it."
        )
    unreliable = without_reliable_setting(
        results.plan.cells, lambda cell: results.records.get(cell.id), results.lines
    )
    if unreliable:
        yield (
            f"No setting of {named(unreliable)} learnt on all of its tuning seeds; the best score "
            "chose, whether the trials learnt or not."
        )
    edges: dict[str, list[str]] = {}
    for item in results.plan.objectives:
        for place, end in _edges(item, tuning.objectives.get(item.name, tuning.grid)):
            edges.setdefault(f"{place.rpartition('.')[2]} {end}", []).append(item.name)
    if edges:
        found = listed([f"{what} ({named(who)})" for what, who in edges.items()])
        yield f"Chosen at the edge of what was tried, so better values may lie beyond: {found}."


def pairing_sentences(results: StudyResults) -> Iterator[str]:
    """How alike the runs of one seed score, per suite: whether pairing by seed narrowed intervals.

    Of the seeds at which neither run is stuck.
    """
    names = [item.name for item in results.plan.objectives]
    others = [name for name in names if name != results.plan.baseline]
    if len(others) > _MOST_COMPARED:
        return
    counted = {name: runs.counted for name, runs in run_learning(results).items()}
    for suite in results.suites:
        if not suite.average_groups:
            continue
        scores = final_scores(results, suite).scores
        baseline = scores[names.index(results.plan.baseline)]
        parts = []
        for name in others:
            own = scores[names.index(name)]
            both = np.isfinite(own) & np.isfinite(baseline)
            both &= counted[name] & counted[results.plan.baseline]
            if both.sum() < LEAST_SEEDS or min(np.ptp(own[both]), np.ptp(baseline[both])) == 0:
                continue
            correlation = float(np.corrcoef(own[both], baseline[both])[0, 1])
            paired = float(np.std(difference(own[both], baseline[both]), ddof=1))
            apart = float(np.hypot(np.std(own[both], ddof=1), np.std(baseline[both], ddof=1)))
            parts.append(
                f"{name} {correlation:+.2f}, the gain varies {paired / apart:.2f} times as much as "
                "without pairing"
            )
        if parts:
            yield (
                f"Correlation over seeds of the {suite.name} scores with those of "
                f"{results.plan.baseline}: {'; '.join(parts)}."
            )


def _edges(item: PlannedObjective, grid: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings of an objective that are the least or the greatest number tried, and the value."""
    for place, values in grid.items():
        if not isinstance(values, list | tuple) or len(values) < 2:
            continue
        if not all(type(value) in (int, float) for value in values):
            continue
        chosen = item.overrides.get(place)
        if chosen in (min(values), max(values)):
            yield place, chosen
