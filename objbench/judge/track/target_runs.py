"""What each run of a recipe spent until it reached a target of the track.

Every declared seed is one run, also one that diverged: it would not have reached the target with the
others' budget either, so it is censored at the most that a run of the recipe has spent, and not where it
diverged, which would make it the recipe's fastest run where censored runs count as just after their
budget. A loss is measured at every evaluation point. A suite is scored at those that have
its evaluations, of which the last is one. Of runs that finished, every evaluation that is planned is asked
for, by the protocol of the track and on whole official data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from objbench.contract.meters import Axis
from objbench.judge.score_arrays import suite_average
from objbench.judge.spending import last_meters
from objbench.judge.statistics.bits_per_character import bits_per_character
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.time_to_target import Reached, reached
from objbench.judge.track.track import SuiteScore, Target, Track, suite_digest
from objbench.results.plan import PlannedCell, PlannedSuite
from objbench.results.records import EvaluationRecord, PretrainRecord
from objbench.results.scores import column_value
from objbench.results.study_results import StudyResults
from objbench.results.training_points import Meters

Point = tuple[Meters, float]
"""What had been spent at an evaluation point, and the score there: greater is better."""


def recipe_runs(results: StudyResults, objective: str) -> Iterator[PretrainRecord]:
    """The runs of a recipe that there are, in the order of the seeds, however they ended."""
    for seed in results.seeds:
        record = results.records.get(results.pretraining[objective, seed])
        if isinstance(record, PretrainRecord):
            yield record


def why_not_scored(target: Target, results: StudyResults, objective: str) -> str:
    """Why the recipe is not ranked on a target, in one line; "" where it is."""
    wanted = target.suite
    if wanted is None:
        return ""
    suite = _suite(results, wanted)
    if suite is None:
        return f"the study does not score {wanted.name}"
    if suite_digest(suite) != wanted.digest:
        return f"the {wanted.name} of the study is not the track's: version, protocol or columns differ"
    if suite.direction != "max":
        return f"less is better in {wanted.name}, and the track asks for more"
    finished = {run.seed for run in recipe_runs(results, objective) if run.status == "ok"}
    for cell in results.evaluations(suite.name, objective):
        state = results.state(cell)
        # A run that diverged has no encoder to score.
        if state == "failed" or (state != "ok" and cell.seed in finished):
            return f"{cell.id} is missing" if state == "missing" else f"{cell.id} {state}"
        record = results.records.get(cell.id)
        if isinstance(record, EvaluationRecord) and record.official_examples:
            return f"{record.id} scored a part of the official examples only"
    if not all(
        any(True for _ in _suite_points(results, suite, run))
        for run in recipe_runs(results, objective)
        if run.seed in finished
    ):
        return f"not every run is scored by {wanted.name}"
    return ""


def target_runs(
    track: Track,
    target: Target,
    results: StudyResults,
    objective: str,
    axis: Axis,
    *,
    other_masks: bool = False,
) -> tuple[Reached, ...]:
    """What each run of ``objective`` spent until ``target``, in the order of the seeds.

    Args:
        track: the track.
        target: one of its targets, on which the recipe is ranked.
        results: a study that keeps the rules.
        objective: the recipe.
        axis: of the spend.
        other_masks: ask for as much less as other masks may make of a loss; see ``Target``.
    """
    wanted = target.least_score + (target.other_masks if other_masks else 0.0)
    runs = list(recipe_runs(results, objective))
    longest = max((_spent(run, axis) for run in runs), default=0.0)
    return tuple(
        _reached(run, list(_points(track, target, results, run)), wanted, axis, longest)
        for run in runs
    )


def _spent(run: PretrainRecord, axis: Axis) -> float:
    # A run with a trunk may diverge at an earlier step than that of a point, whose branch is undone.
    ends = [last_meters(run), *(point.meters for point in run.points[-1:])]
    return max((float(getattr(end, axis)) for end in ends if end is not None), default=0.0)


def _reached(
    run: PretrainRecord, points: Sequence[Point], wanted: float, axis: Axis, longest: float
) -> Reached:
    """What one run spent; one that diverged before the target is censored at ``longest``."""
    never = Reached(longest, np.inf, longest, np.inf, 0)
    if not points:
        return never
    steps, spend, scores = (
        np.array(values, dtype=np.float64)
        for values in (
            [meters.steps for meters, _ in points],
            [getattr(meters, axis) for meters, _ in points],
            [score for _, score in points],
        )
    )
    found = reached(steps, spend, scores, wanted)
    return never if run.status == "diverged" and not found.point else found


def _points(
    track: Track, target: Target, results: StudyResults, run: PretrainRecord
) -> Iterator[Point]:
    if target.suite is None:
        for point in run.points:
            assert point.common is not None  # a rule of the track
            loss = bits_per_character(np.array(point.common.loss), track.text.characters_per_token)
            yield point.meters, -float(loss)
        return
    suite = _suite(results, target.suite)
    if suite is not None:
        yield from _suite_points(results, suite, run)


def _suite(results: StudyResults, wanted: SuiteScore) -> PlannedSuite | None:
    return next((suite for suite in results.suites if suite.name == wanted.name), None)


def _suite_points(
    results: StudyResults, suite: PlannedSuite, run: PretrainRecord
) -> Iterator[Point]:
    """The points of a run that have the suite's whole score, by what it was at each, in order.

    A score is a mean over all fine-tuning seeds that are planned at that point, never over a part.
    """
    planned: dict[float, list[PlannedCell]] = {}
    for cell in results.evaluations(suite.name, run.objective):
        if cell.seed == run.seed:
            planned.setdefault(cell.share, []).append(cell)
    meters: Mapping[int, Meters] = {point.meters.steps: point.meters for point in run.points}
    for _, cells in sorted(planned.items()):
        found = [results.records.get(cell.id) for cell in cells]
        scored = [r for r in found if isinstance(r, EvaluationRecord) and r.status == "ok"]
        step = scored[0].meters.steps if scored else 0
        if len(scored) < len(cells) or step not in meters:
            continue
        columns: FloatArray = np.array(
            [
                np.mean(
                    [column_value(r, column) for r in scored if r.task == column.task] or np.nan
                )
                for column in suite.columns
            ]
        )
        score = float(suite_average(suite, columns))
        if np.isfinite(score):
            yield meters[step], score
