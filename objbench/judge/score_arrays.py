"""Scores as arrays, by objective, seed, column and point of the budget.

A column's score is the mean of its metrics, scaled; fine-tuning seeds are averaged within their
pretraining run; a suite's score is its protocol's average over the columns and is there only if
every column is. Nothing is filled in: what is missing is NaN.

Shape legend: O objectives, S pretraining seeds, C columns, F fine-tuning seeds, P points, 4 axes
in the order of ``contract.meters.AXES``; objectives, seeds and columns in the order of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from objbench.contract.meters import AXES
from objbench.judge.statistics.estimate import FloatArray, within_run_mean
from objbench.results.plan import PlannedCell, PlannedSuite
from objbench.results.records import EvaluationRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class SuiteScores:
    """The scores of the final encoders on one suite.

    Attributes:
        suite: the suite as planned.
        values: (O, S, C, F) float64, scaled.
        columns: (O, S, C) float64, their means over fine-tuning seeds.
        scores: (O, S) float64, the suite's one score; NaN unless every column is there.
    """

    suite: PlannedSuite
    values: FloatArray
    columns: FloatArray
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class Curve:
    """One objective's score along its budget.

    Attributes:
        shares: P shares of the budget, rising; the last is 1.
        spend: (P, S, 4) float64, on each of ``AXES``: steps, tokens, FLOPs, device seconds.
        scores: (P, S) float64.
    """

    objective: str
    shares: tuple[float, ...]
    spend: FloatArray
    scores: FloatArray

    @property
    def whole(self) -> tuple[int, ...]:
        """Indices of the points at which no seed is missing."""
        there = np.isfinite(self.scores).all(axis=1) & np.isfinite(self.spend).all(axis=(1, 2))
        return tuple(int(index) for index in np.flatnonzero(there))


@dataclass(frozen=True, slots=True)
class ColumnCurves:
    """A suite's columns along the budget.

    Attributes:
        shares: P shares of the budget at which it was run for any objective, rising.
        values: (P, O, S, C) float64, means over fine-tuning seeds, scaled.
    """

    shares: tuple[float, ...]
    values: FloatArray


def suite_average(suite: PlannedSuite, columns: FloatArray) -> FloatArray:
    """The suite's one score of each row of columns.

    Args:
        columns: (..., C) float64.

    Returns:
        (...) float64; NaN where a column of the average is missing.
    """
    average = suite.average
    names = [column.name for column in suite.columns]
    rows = columns.reshape(-1, len(names))
    scores = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        present = {n: float(v) for n, v in zip(names, row, strict=True) if math.isfinite(v)}
        score = average.score(present)
        if score is not None:
            scores[index] = score
    return scores.reshape(columns.shape[:-1])


def final_scores(results: StudyResults, suite: PlannedSuite) -> SuiteScores:
    """What the encoders at the end of the budget score on ``suite``."""
    return _final_scores(results, suite.name)


def column_curves(results: StudyResults, suite: PlannedSuite) -> ColumnCurves:
    """What the encoders at every point of the budget score in each column of ``suite``.

    Fine-tuning seeds that were run at every point alone count, so that the last point does not
    differ from the others by how it was measured.
    """
    cells = results.evaluations(suite.name)
    shares = tuple(sorted({cell.share for cell in cells}))
    taken = {(cell.finetune_seed, cell.share) for cell in cells}
    everywhere = tuple(
        seed for seed in suite.seeds if all((seed, share) in taken for share in shares)
    )
    of_share: dict[float, list[PlannedCell]] = {share: [] for share in shares}
    for cell in cells:
        if cell.finetune_seed in everywhere:
            of_share[cell.share].append(cell)
    values = [
        within_run_mean(_values(results, suite, own, everywhere)) for own in of_share.values()
    ]
    return ColumnCurves(shares, np.stack(values) if values else np.empty((0, 0, 0, 0)))


def score_curves(results: StudyResults, curve_suite: PlannedSuite) -> Mapping[str, Curve]:
    """Objective -> the curve that ``curve_suite`` follows.

    Every point, the last one too, is the mean of the same fine-tuning seeds, so that the last
    does not differ from the others by how it was measured.
    """
    return _score_curves(results, curve_suite.name)


# Asked for once per claim, objective and score, and made from every record of the study.
@lru_cache(maxsize=32)
def _final_scores(results: StudyResults, name: str) -> SuiteScores:
    suite = next(suite for suite in results.plan.suites if suite.name == name)
    cells = [c for c in results.evaluations(suite.name) if c.share >= 1.0]
    values = _values(results, suite, cells, suite.seeds)
    columns = within_run_mean(values)
    return SuiteScores(suite, values, columns, suite_average(suite, columns))


@lru_cache(maxsize=32)
def _score_curves(results: StudyResults, follower: str) -> Mapping[str, Curve]:
    plan = results.plan
    curve_suite = next(suite for suite in plan.suites if suite.name == follower)
    suite = next(suite for suite in results.suites if suite.name == curve_suite.follows)
    chosen = suite.seeds[: curve_suite.seeds_per_point]
    seeds = results.seeds
    curves = {}
    for name in (objective.name for objective in plan.objectives):
        by_point: dict[float, list[PlannedCell]] = {}
        for cell in results.evaluations(suite.name, name):
            if cell.finetune_seed in chosen:
                by_point.setdefault(cell.share, []).append(cell)
        shares = tuple(sorted(by_point))
        spend = np.full((len(shares), len(seeds), len(AXES)), np.nan)
        scores = np.full((len(shares), len(seeds)), np.nan)
        for point, share in enumerate(shares):
            cells = by_point[share]
            (columns,) = within_run_mean(_values(results, suite, cells, chosen, (name,)))
            scores[point] = suite_average(suite, columns)
            spend[point] = _spend(results, cells, seeds)
        curves[name] = Curve(name, shares, spend, scores)
    return curves


def _values(
    results: StudyResults,
    suite: PlannedSuite,
    cells: list[PlannedCell],
    finetune: tuple[int, ...],
    names: Sequence[str] = (),
) -> FloatArray:
    """(O, S, C, F) float64: the scaled score of each cell, each at one point of the budget.

    Args:
        names: the objectives that ``cells`` are of; all of the plan when empty.
    """
    names = names or [item.name for item in results.plan.objectives]
    objectives = {name: index for index, name in enumerate(names)}
    seeds = {seed: index for index, seed in enumerate(results.seeds)}
    tries = {seed: index for index, seed in enumerate(finetune)}
    values = np.full((len(objectives), len(seeds), len(suite.columns), len(tries)), np.nan)
    for cell in cells:
        record = results.records.get(cell.id)
        if not isinstance(record, EvaluationRecord) or record.status != "ok":
            continue
        for number, column in enumerate(suite.columns):
            if column.task == cell.task:
                where = (objectives[cell.objective], seeds[cell.seed], number)
                values[(*where, tries[cell.finetune_seed])] = column_value(record, column)
    return values


def _spend(results: StudyResults, cells: list[PlannedCell], seeds: tuple[int, ...]) -> FloatArray:
    """(S, 4) float64: the spend at one point, which every evaluation of that point records."""
    spend = np.full((len(seeds), len(AXES)), np.nan)
    row = {seed: index for index, seed in enumerate(seeds)}
    for cell in cells:
        record = results.records.get(cell.id)
        if isinstance(record, EvaluationRecord) and record.status == "ok":
            spend[row[cell.seed]] = [getattr(record.meters, axis) for axis in AXES]
    return spend
