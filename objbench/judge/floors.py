"""Floors: what a suite gives without any pretraining, by the same examples and metrics.

A score that does not lie above its floor shows nothing of what pretraining did. Three kinds of floor
are measured, each a cell of the study: what needs no encoder at all ("majority", "bag-of-words" and
whatever else a suite names), and the encoder with its initial weights (``UNTRAINED``), which depends
on the pretraining seed and, where tuning changed them, on the objective's initial weights. In a study
that continues from a checkpoint, the checkpoint as it was (``CHECKPOINT``) takes the place of the
latter: what lies no higher shows nothing of what further pretraining did.

Shape legend: R runs of a floor, C columns of the suite in the order of the plan; NaN where missing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from objbench.contract.suite import UNTRAINED, Direction
from objbench.judge.score_arrays import suite_average
from objbench.judge.statistics.estimate import FloatArray
from objbench.results.plan import PlannedCell, PlannedSuite
from objbench.results.records import FloorRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, eq=False)
class FloorScores:
    """What one floor scores on a suite.

    Attributes:
        floor: its name.
        columns: (R, C) float64, scaled. R is the number of pretraining seeds for ``UNTRAINED``, in
            the order of the plan, and 1 for every other floor.
        scores: (R,) float64, the suite's one score; NaN unless every column is there.
    """

    floor: str
    columns: FloatArray
    scores: FloatArray

    @property
    def mean_columns(self) -> FloatArray:
        """(C,) float64, the means over the runs that are there."""
        return np.array([_mean(column) for column in self.columns.T])

    @property
    def mean_score(self) -> float:
        """The mean score over the runs that are there."""
        return _mean(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """The best that a suite gives without pretraining: of several floors the best mean.

    Attributes:
        columns: (C,) float64, for each column; NaN where no floor was measured.
        names: C names of the floors that ``columns`` are of; "" where none was measured.
        score: for the suite's one score; NaN where no floor was measured on all of its columns.
        name: of the floor that ``score`` is of, or "".
    """

    columns: FloatArray
    names: tuple[str, ...]
    score: float
    name: str


def floor_scores(
    results: StudyResults, suite: PlannedSuite, objective: str
) -> Mapping[str, FloorScores]:
    """Name of each planned floor -> its scores, in the order of the plan; empty in older plans.

    Args:
        objective: whose initial weights ``UNTRAINED`` is of.
    """
    return _floor_scores(results, suite.name, objective)


def best_floor(results: StudyResults, suite: PlannedSuite, objective: str) -> Floor:
    """What the scores of ``objective`` on ``suite`` have to be better than.

    The floor of the average is the best average of one floor, not the average of the columns'
    floors: no one predictor has those.
    """
    found = floor_scores(results, suite, objective).values()
    means = {scores.floor: scores.mean_columns for scores in found}
    of_columns = [
        _best({name: float(own[index]) for name, own in means.items()}, column.direction)
        for index, column in enumerate(suite.columns)
    ]
    name, score = _best({scores.floor: scores.mean_score for scores in found}, suite.direction)
    return Floor(
        columns=np.array([value for _, value in of_columns], dtype=np.float64),
        names=tuple(name for name, _ in of_columns),
        score=score,
        name=name,
    )


@lru_cache(maxsize=32)
def _planned_floors(
    results: StudyResults, suite: str
) -> Mapping[str, Mapping[str, list[PlannedCell]]]:
    """Floor -> objective -> its cells, each in the order of the plan."""
    found: dict[str, dict[str, list[PlannedCell]]] = {}
    for cell in results.floors(suite):
        found.setdefault(cell.floor, {}).setdefault(cell.objective, []).append(cell)
    return found


# Asked for once per claim, objective and score.
@lru_cache(maxsize=1024)
def _floor_scores(results: StudyResults, suite: str, objective: str) -> Mapping[str, FloorScores]:
    planned = next(found for found in results.plan.suites if found.name == suite)
    found = {}
    for floor, of_objective in _planned_floors(results, suite).items():
        own = [cell for cells in of_objective.values() for cell in cells]
        rows: dict[int, int] = dict.fromkeys((cell.seed for cell in own), 0)
        if floor == UNTRAINED:
            own = of_objective.get(_with_the_weights_of(results, of_objective, objective), [])
            rows = {seed: row for row, seed in enumerate(results.seeds)}
        columns = np.full((1 + max(rows.values(), default=0), len(planned.columns)), np.nan)
        values: dict[tuple[int, int], list[float]] = {}
        for cell in own:
            record = results.records.get(cell.id)
            # A plan that was edited by hand may hold floors of seeds that were not pretrained.
            if (
                not isinstance(record, FloorRecord)
                or record.status != "ok"
                or cell.seed not in rows
            ):
                continue
            for number, column in enumerate(planned.columns):
                if column.task == cell.task:
                    place = rows[cell.seed], number
                    values.setdefault(place, []).append(column_value(record, column))
        # A checkpoint is scored with every fine-tuning seed, as the encoders are.
        for place, own_values in values.items():
            columns[place] = np.mean(own_values)
        found[floor] = FloorScores(floor, columns, suite_average(planned, columns))
    return found


def _with_the_weights_of(results: StudyResults, measured: Container[str], objective: str) -> str:
    """The objective whose floors are of the initial weights of ``objective``: itself if it has any.

    "" where there is none.
    """
    if objective in measured:
        return objective
    own = next(o for o in results.plan.objectives if o.name == objective).encoder_overrides
    there = (item for item in results.plan.objectives if item.name in measured)
    return next((item.name for item in there if item.encoder_overrides == own), "")


def _best(means: Mapping[str, float], direction: Direction) -> tuple[str, float]:
    """The name and the value of the best mean; "" and NaN where there is none."""
    known = {name: value for name, value in means.items() if np.isfinite(value)}
    if not known:
        return "", float("nan")
    name = (max if direction == "max" else min)(known, key=known.__getitem__)
    return name, known[name]


def _mean(values: FloatArray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
