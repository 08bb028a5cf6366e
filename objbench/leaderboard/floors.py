"""What a suite gives without any pretraining, beside its scores, and whether these are above it.

A task is at its floor where no objective's runs that learnt are above the best floor by a 95%
t-interval. A suite carries no verdict on an objective where the judge says so (``judge.sensitivity``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from objbench.contract.suite import UNTRAINED
from objbench.judge.floors import FloorScores, floor_scores
from objbench.judge.score_arrays import SuiteScores
from objbench.judge.score_source import Pair
from objbench.judge.sensitivity import columns_above_floor, insensitive, score_above_floor
from objbench.judge.statistics.estimate import MIN_RUNS, Estimate, FloatArray, estimate
from objbench.leaderboard.foremost import MOST_DRAWN, MOST_ROWS
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.run_learning import RunLearning
from objbench.results.plan import PlannedSuite
from objbench.results.study_results import StudyResults

AVERAGE = "average"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRow:
    """What one floor scores.

    Attributes:
        name: such as "majority" or "untrained (mlm)".
        columns: column -> its mean over the seeds that the floor has; without missing ones.
        score: of the suite's one score; None where a column of it is missing.
    """

    name: str
    columns: Mapping[str, Estimate]
    score: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFloors:
    """The floors of a suite.

    Attributes:
        rows: empty where none was measured.
        at_floor: columns at their floor, ``AVERAGE`` for the suite's one score; those of which too
            few runs learnt to tell are not among them.
        held_back: objective -> why the suite carries no verdict on it; without those on which it
            may, and empty where no floor was measured.
    """

    rows: tuple[FloorRow, ...]
    at_floor: frozenset[str]
    held_back: Mapping[str, tuple[str, ...]]


def suite_floors(
    results: StudyResults,
    found: SuiteScores,
    rows: Collection[Row],
    learnt: Mapping[str, RunLearning],
) -> SuiteFloors:
    """The floors of a suite, and what of its scores is above them."""
    suite = found.suite
    floors = tuple(_rows(results, suite))
    if not floors:
        return SuiteFloors(rows=(), at_floor=frozenset(), held_back={})
    return SuiteFloors(
        rows=floors,
        at_floor=frozenset(_at_floor(results, found, floors, learnt)),
        held_back=dict(_held_back(results, suite, rows)),
    )


def _rows(results: StudyResults, suite: PlannedSuite) -> list[FloorRow]:
    """Every floor that was measured; the untrained encoder of each objective's own weights."""
    cells = results.floors(suite.name)
    made = []
    for name, scores in floor_scores(results, suite, results.plan.baseline).items():
        if name == UNTRAINED:
            whose = dict.fromkeys(cell.objective for cell in cells if cell.floor == UNTRAINED)
            for objective in list(whose)[:MOST_DRAWN]:
                own = floor_scores(results, suite, objective)[UNTRAINED]
                made.append(_row(f"{UNTRAINED} ({objective})", suite, own))
        else:
            made.append(_row(name.replace("-", " "), suite, scores))
    return [row for row in made if row.columns]


def _row(name: str, suite: PlannedSuite, scores: FloorScores) -> FloorRow:
    columns = {
        column.name: found
        for index, column in enumerate(suite.columns)
        if (found := _mean(scores.columns[:, index])) is not None
    }
    return FloorRow(name=name, columns=columns, score=_mean(scores.scores))


def _mean(values: FloatArray) -> Estimate | None:
    there = values[np.isfinite(values)]
    return estimate(there) if there.size else None


def _at_floor(
    results: StudyResults,
    found: SuiteScores,
    floors: tuple[FloorRow, ...],
    learnt: Mapping[str, RunLearning],
) -> list[str]:
    suite, names = found.suite, list(learnt)
    of_each = np.stack([columns_above_floor(results, suite, name) for name in names])
    above = [bool(column.any()) for column in of_each.T]
    counted = np.stack([learnt[name].counted for name in names])

    def is_known(scores: FloatArray) -> bool:
        """Whether some objective has enough runs that learnt; from (O, S) scores."""
        return bool(((np.isfinite(scores) & counted).sum(axis=1) >= MIN_RUNS).any())

    at = [
        column.name
        for index, column in enumerate(suite.columns)
        if not above[index]
        and is_known(found.columns[:, :, index])
        and any(column.name in row.columns for row in floors)
    ]
    has_score = suite.average_groups and any(row.score is not None for row in floors)
    if has_score and is_known(found.scores):
        is_above = any(score_above_floor(results, suite, name) for name in names)
        at += [] if is_above else [AVERAGE]
    return at


def _held_back(
    results: StudyResults, suite: PlannedSuite, rows: Collection[Row]
) -> list[tuple[str, tuple[str, ...]]]:
    """Each compared objective on which the suite carries no verdict, and why."""
    baseline = results.plan.baseline
    compared = [row for row in rows if row.gain is not None]
    made = []
    # What an interval leaves of the room is asked of few: of many it would be asked for long.
    shared = None
    if len(compared) > MOST_ROWS:
        shared = insensitive(results, Pair(compared[0].objective, baseline), suite.name)
    for row in compared:
        half_width = row.gain.half_width if row.gain is not None else None
        pair = Pair(row.objective, baseline)
        why = (
            shared
            if len(compared) > MOST_ROWS
            else insensitive(results, pair, suite.name, half_width)
        )
        if why is not None:
            made.append((row.objective, why.details if why.obstacle == "insensitive" else ()))
    return made
