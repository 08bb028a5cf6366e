"""Whether a suite's score can carry a verdict: it sees what pretraining did, at this scale.

A score that does not is shown with its numbers and decides nothing. Three rules, said before any
verdict; S runs of the baseline that learnt, each floor at the same pretraining seed where it has one:

- S1: the runs are above every floor (``floors``) by a 95% t-interval, on the suite's one score and on
  at least half of the columns that it is made of.
- S2, for a gain: the half-width of its interval is at most half of what the runs have above the best
  floor.
- S3: the score does not order encoders against their held-out loss (``statistics.ordering``), at 5%
  one-sided for each of its two tests.

A held-out loss needs none of them: that its runs learnt says that it sees it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from objbench.contract.suite import Direction
from objbench.judge.floors import FloorScores, floor_scores
from objbench.judge.formatting import points, signed
from objbench.judge.learning import RunStatus, learning
from objbench.judge.obstacles import HeldBack
from objbench.judge.score_arrays import final_scores
from objbench.judge.score_source import Pair, planned_suite
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray, t_interval
from objbench.judge.statistics.multiple_tests import ERROR_RATE
from objbench.judge.statistics.ordering import order_of_learnt, order_within
from objbench.judge.statistics.proportions import BoolArray
from objbench.judge.statistics.ties import difference
from objbench.results.plan import PlannedSuite
from objbench.results.study_results import StudyResults

ROOM = 0.5
"""Largest half-width of a gain's interval, as a share of what the baseline has above its floor."""


def insensitive(
    results: StudyResults, pair: Pair, source: str, half_width: float | None = None
) -> HeldBack | None:
    """Why the score ``source`` can carry no verdict on the pair; None where it can.

    Args:
        half_width: of the 95% interval of a gain; None for a speedup or without an interval.
    """
    suite = planned_suite(results, source)
    if suite is None:
        return None
    floors = _floors(results, suite, pair.baseline)
    if isinstance(floors, HeldBack):
        return floors
    failures = [
        *_above_floor(results, suite, pair.baseline, floors, half_width),
        *_against_loss(results, suite),
    ]
    return HeldBack("insensitive", tuple(failures)) if failures else None


def columns_above_floor(results: StudyResults, suite: PlannedSuite, objective: str) -> BoolArray:
    """Which columns of ``suite`` are above every floor in the runs of ``objective`` that learnt.

    Returns:
        (C,) bool, in the order of the plan: the lower end of the 95% t-interval of the differences
        is above 0. False where there are fewer than ``MIN_RUNS`` runs, or no floor.
    """
    rows = _rows(results, objective)
    columns = final_scores(results, suite).columns[_place(results, objective)]
    floors = floor_scores(results, suite, objective).values()
    return np.array(
        [
            _is_above(
                columns[:, index], [own.columns[:, index] for own in floors], rows, column.direction
            )
            for index, column in enumerate(suite.columns)
        ],
        dtype=bool,
    )


def score_above_floor(results: StudyResults, suite: PlannedSuite, objective: str) -> bool:
    """The same of the suite's one score."""
    scores = final_scores(results, suite).scores[_place(results, objective)]
    floors = [own.scores for own in floor_scores(results, suite, objective).values()]
    return _is_above(scores, floors, _rows(results, objective), suite.direction)


def _is_above(
    scores: FloatArray, floors: list[FloatArray], rows: list[int], direction: Direction
) -> bool:
    """Whether the scores of ``rows`` are above every floor that there is."""
    gaps = [_gaps(scores, floor, rows, _sign(direction)) for floor in floors]
    lows = [_low(own) for own in gaps if own.size]
    return bool(lows) and all(low is not None and low > 0 for low in lows)


def _floors(
    results: StudyResults, suite: PlannedSuite, baseline: str
) -> Mapping[str, FloorScores] | HeldBack:
    """The floors of the suite's score; or which of them are still missing, or that there is none."""
    missing = [cell.floor for cell in results.floors(suite.name) if results.state(cell) != "ok"]
    if missing:
        return HeldBack("no floors", tuple(dict.fromkeys(missing)))
    found = {
        name: floor
        for name, floor in floor_scores(results, suite, baseline).items()
        if np.isfinite(floor.scores).any()
    }
    return found or HeldBack("no floors")


def _above_floor(
    results: StudyResults,
    suite: PlannedSuite,
    baseline: str,
    floors: Mapping[str, FloorScores],
    half_width: float | None,
) -> list[str]:
    """What S1 and S2 find."""
    rows, sign = _rows(results, baseline), _sign(suite.direction)
    scores = final_scores(results, suite).scores[_place(results, baseline)]
    gaps = {name: _gaps(scores, floor.scores, rows, sign) for name, floor in floors.items()}
    means = {name: float(own.mean()) for name, own in gaps.items() if own.size}
    if not means:
        return []
    # Of too few runs for an interval the mean has to do.
    lows = {name: _low(gaps[name]) for name in means}
    least = {name: means[name] if low is None else low for name, low in lows.items()}
    nearest = min(least, key=least.__getitem__)
    if least[nearest] <= 0:
        own = points(float(np.nanmean(scores[rows])))
        low, mean = lows[nearest], means[nearest]
        ends = "" if low is None else f" [{signed(low)}, {signed(2 * mean - low)}]"
        above = f"{baseline} - {nearest} = {signed(mean)}{ends}"
        return [f"is at its floor at this scale ({baseline} {own}, {above})"]
    failures = []
    averaged = {name for group in suite.average_groups for name in group}
    columns = [
        bool(above)
        for column, above in zip(
            suite.columns, columns_above_floor(results, suite, baseline), strict=True
        )
        if column.name in averaged
    ]
    if lows[nearest] is not None and 2 * sum(columns) < len(columns):
        failures.append(
            f"is at its floor at this scale on {columns.count(False)} of {len(columns)} columns"
        )
    room = min(means.values())
    if half_width is not None and half_width > ROOM * room:
        failures.append(
            f"has too little room at this scale (the gain's interval has a half-width of "
            f"{points(half_width)}, {baseline} is {points(room)} above its floor)"
        )
    return failures


def _against_loss(results: StudyResults, suite: PlannedSuite) -> list[str]:
    """What S3 finds, over the final encoders of all objectives."""
    scores = _sign(suite.direction) * final_scores(results, suite).scores
    groups = []
    of_status: dict[RunStatus, list[float]] = {"learnt": [], "stuck": [], "unknown": []}
    for row, objective in enumerate(results.plan.objectives):
        own, losses = [], []
        for seed, run in learning(results, objective.name).items():
            score = float(scores[row, results.seeds.index(seed)])
            if np.isfinite(score) and run.final is not None:
                own.append(score)
                losses.append(run.final.loss)
                of_status[run.status].append(score)
        groups.append((np.array(own), np.array(losses)))
    failures = []
    within = order_within(groups)
    if within is not None and within.p_against < ERROR_RATE:
        failures.append(
            "orders the encoders of an objective against their held-out loss (Kendall's tau "
            f"{within.value:.2f}, p = {within.p_against:.2g})"
        )
    between = order_of_learnt(np.array(of_status["learnt"]), np.array(of_status["stuck"]))
    if between is not None and between.p_against < ERROR_RATE:
        failures.append(
            "ranks stuck runs above runs that learnt (in "
            f"{100 * between.value:.0f}% of pairs the one that learnt scores higher, "
            f"p = {between.p_against:.2g})"
        )
    return failures


def _rows(results: StudyResults, objective: str) -> list[int]:
    """The places among the seeds of the runs that are not stuck."""
    runs = learning(results, objective)
    return [results.seeds.index(seed) for seed, run in runs.items() if run.status != "stuck"]


def _place(results: StudyResults, objective: str) -> int:
    return [item.name for item in results.plan.objectives].index(objective)


def _sign(direction: Direction) -> float:
    return 1.0 if direction == "max" else -1.0


def _gaps(scores: FloatArray, floor: FloatArray, rows: list[int], sign: float) -> FloatArray:
    """How much better the scores of ``rows`` are than the floor; without missing ones.

    Args:
        scores: (S,) float64.
        floor: (S,) float64, at the same seeds, or (1,), the same for all.
    """
    own, floors = scores[rows], np.broadcast_to(floor, scores.shape)[rows]
    there = np.isfinite(own) & np.isfinite(floors)
    return sign * difference(own[there], floors[there])


def _low(gaps: FloatArray) -> float | None:
    """The lower end of the 95% t-interval of the mean; None for fewer than ``MIN_RUNS`` values."""
    if gaps.size < MIN_RUNS:
        return None
    mean, half = t_interval(gaps)
    return float(mean - half)
