"""What a pair of objectives can be judged by, and those scores as arrays by seed.

A source is an evaluating suite by name; "heldout:common", the loss that every objective is measured
by alike (``training_points.CommonLoss``); or "heldout:TERM", the loss of one term on held-out text (see
``results.heldout_loss_names``): a pair has a loss in common only where the same terms arranged its
text. Greater is better in every array: a loss, or a suite whose average is better when low, is
negated.

Shape legend: S pretraining seeds of the study, P points of the budget; missing values are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.contract.meters import AXES
from objbench.errors import UnknownNameError
from objbench.judge.score_arrays import final_scores, score_curves
from objbench.judge.statistics.estimate import FloatArray
from objbench.results import heldout_loss_names
from objbench.results.plan import PlannedSuite
from objbench.results.records import PretrainRecord
from objbench.results.reference_lines import Predicted
from objbench.results.study_results import StudyResults
from objbench.results.training_points import ExportedPoint

HELDOUT = "heldout:"
COMMON = HELDOUT + heldout_loss_names.COMMON
# The weighted sum of each objective's own terms: two objectives' sums measure different things. A
# term that is called "common" would be taken for the common loss.
_NO_TERMS = ("loss", heldout_loss_names.COMMON)

# Share by which sums in another order, at most of bfloat16, may differ.
_SAME_LOSS = 1e-3


@dataclass(frozen=True, slots=True)
class Pair:
    """An objective and the baseline that it is claimed to beat."""

    objective: str
    baseline: str


@dataclass(frozen=True, slots=True, eq=False)
class SideScores:
    """One objective's scores along the budget.

    Attributes:
        scores: (S, P) float64; greater is better.
        spend: (S, P, 4) float64, on each of ``AXES``.
    """

    scores: FloatArray
    spend: FloatArray

    @property
    def whole(self) -> FloatArray:
        """Which seeds are complete: (S,) bool."""
        there = np.isfinite(self.scores).all(axis=1) & np.isfinite(self.spend).all(axis=(1, 2))
        return np.asarray(there)


def score_sources(results: StudyResults, pair: Pair) -> tuple[str, ...]:
    """The study's suites, then the held-out losses that both sides have at every point."""
    # A suite without an average does not say which objective is better.
    suites = tuple(suite.name for suite in results.suites if suite.average_groups)
    runs = [results.pretrained(name) for name in (pair.baseline, pair.objective)]
    if not all(runs):
        return suites
    points = [point for side in runs for record in side for point in record.points]
    kind = common_kind(results)
    has_common = kind is not None and all(
        point.common and point.common.of == kind for point in points
    )
    shared = [
        term
        for term in (points[0].heldout if points else ())
        if term not in _NO_TERMS and all(term in point.heldout for point in points)
    ]
    return (*suites, *[COMMON] * has_common, *(HELDOUT + term for term in shared))


def common_kind(results: StudyResults) -> Predicted | None:
    """What the common loss predicts: what the study's baseline does. None where that has none.

    An objective that predicts something else has no loss in common with the baseline.
    """
    for record in results.pretrained(results.plan.baseline):
        for point in record.points:
            if point.common is not None and point.common.of != "own":
                return point.common.of
    return None


def is_the_common_loss(results: StudyResults, source: str) -> bool:
    """Whether a term's loss is the common loss by another name: the same masks give the same value.

    So it is of masked language modelling with the common masks, as its values show at every point.
    Options alone would not: of two objectives that hide 15% one may hide whole words.
    """
    term, kind = source.removeprefix(HELDOUT), common_kind(results)
    pairs = [
        (point.heldout[term], point.common)
        for item in results.plan.objectives
        for record in results.pretrained(item.name)
        for point in record.points
        if term in point.heldout
    ]
    return (
        source != COMMON
        and bool(pairs)
        and all(
            common is not None
            and common.of == kind
            and abs(loss - common.loss) <= _SAME_LOSS * abs(common.loss)
            for loss, common in pairs
        )
    )


def loss_words(source: str) -> str:
    """What a held-out loss is called: "common held-out loss" or "held-out mlm loss"."""
    if source == COMMON:
        return "common held-out loss"
    return f"held-out {source.removeprefix(HELDOUT)} loss"


def check_source(results: StudyResults, pair: Pair, source: str) -> None:
    """Refuse a score that the pair cannot be judged by.

    Raises:
        UnknownNameError: it is neither a suite nor a held-out loss of both.
    """
    known = score_sources(results, pair)
    if source not in known:
        raise UnknownNameError("score", source, known)


def planned_suite(results: StudyResults, source: str) -> PlannedSuite | None:
    """The suite that a source names; None for a held-out loss."""
    return next((suite for suite in results.suites if suite.name == source), None)


def following_suite(results: StudyResults, source: str) -> PlannedSuite | None:
    """The curve suite that follows a source; None where there is none."""
    return next((suite for suite in results.curve_suites if suite.follows == source), None)


def is_loss(results: StudyResults, source: str) -> bool:
    """Whether a source is better when low: a held-out loss, or a suite of losses or perplexities.

    No claim about points can be judged by it: a point is not a nat, nor a hundredth of one.
    """
    suite = planned_suite(results, source)
    return suite is None or suite.direction == "min"


def final_side(results: StudyResults, objective: str, source: str) -> SideScores:
    """An objective's scores at the end of its budget: P = 1, over all fine-tuning seeds."""
    suite = planned_suite(results, source)
    if suite is None:
        whole = _heldout(results, objective, source)
        return SideScores(whole.scores[:, -1:], whole.spend[:, -1:])
    row = [item.name for item in results.plan.objectives].index(objective)
    scores = _sign(suite) * final_scores(results, suite).scores[row][:, np.newaxis]
    # A gain is one of scores alone.
    return SideScores(scores, np.zeros((*scores.shape, len(AXES))))


def curve_side(results: StudyResults, objective: str, source: str) -> SideScores | None:
    """An objective's scores along its budget; None where there are final scores only."""
    suite = planned_suite(results, source)
    if suite is None:
        return _heldout(results, objective, source)
    follower = following_suite(results, source)
    if follower is None:
        return None
    curve = score_curves(results, follower)[objective]
    return SideScores(_sign(suite) * curve.scores.T, np.moveaxis(curve.spend, 0, 1))


def _heldout(results: StudyResults, objective: str, source: str) -> SideScores:
    kind = common_kind(results)
    records = [results.records.get(results.pretraining[objective, s]) for s in results.seeds]
    runs = [r if isinstance(r, PretrainRecord) and r.status == "ok" else None for r in records]
    points = max((len(run.points) for run in runs if run is not None), default=0) or 1
    scores = np.full((len(runs), points), np.nan)
    spend = np.full((len(runs), points, len(AXES)), np.nan)
    for seed, run in enumerate(runs):
        # A run with fewer points than the others is incomplete: its n-th is at another share.
        if run is None or len(run.points) != points:
            continue
        for place, point in enumerate(sorted(run.points, key=lambda point: point.meters.steps)):
            scores[seed, place] = -_loss(point, source, kind)
            spend[seed, place] = [getattr(point.meters, axis) for axis in AXES]
    return SideScores(scores, spend)


def _loss(point: ExportedPoint, source: str, kind: Predicted | None) -> float:
    """A held-out loss at a point; NaN where it was not measured, or is of something else."""
    if source != COMMON:
        return point.heldout.get(source.removeprefix(HELDOUT), np.nan)
    is_of_kind = point.common is not None and point.common.of == kind
    return point.common.loss if point.common is not None and is_of_kind else np.nan


def _sign(suite: PlannedSuite) -> float:
    return 1.0 if suite.direction == "max" else -1.0
