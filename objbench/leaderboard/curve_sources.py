"""The scores that have curves, and those curves: followed suites, and losses on held-out text.

The common loss has curves where the baseline has one; an objective that predicts something else is
not in them. A held-out term has curves where the baseline and another objective both have it at
every point, unless it is the common loss by another name. Its values are losses as they were
measured: lower is better, and each objective's is under its own corruption of the text.

Shape legend: S pretraining seeds, P points of the budget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.judge.score_arrays import Curve, score_curves
from objbench.judge.score_source import (
    COMMON,
    HELDOUT,
    Pair,
    common_kind,
    curve_side,
    is_the_common_loss,
    loss_words,
    score_sources,
)
from objbench.leaderboard.quantity import Notation
from objbench.results.plan import Plan, PlannedSuite
from objbench.results.records import PretrainRecord
from objbench.results.reference_lines import Lines
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSource:
    """A score that was taken along the budget.

    Attributes:
        name: as in ``score_source``: a suite, "heldout:common" or "heldout:TERM".
        words: what it is called; see ``score_words``.
        suite: the curve suite that follows it; None for a held-out loss.
        sign: -1 where lower is better.
    """

    name: str
    words: str
    suite: PlannedSuite | None
    sign: float

    @property
    def term(self) -> str:
        """The held-out loss; "" for a suite."""
        return self.name.removeprefix(HELDOUT) if self.suite is None else ""

    @property
    def stem(self) -> str:
        """What its pictures' names end with."""
        return re.sub(r"[^A-Za-z0-9_.]+", "-", self.name)

    @property
    def notation(self) -> Notation:
        """How its values are written."""
        return "loss" if self.suite is None else "points"


def score_words(plan: Plan, source: str) -> str:
    """What a score is called: "glue score", "common held-out loss" or "held-out mlm loss".

    A suite that shares its name with the study or with its text says what it is: "toy suite score".
    """
    if source.startswith(HELDOUT):
        return loss_words(source)
    return f"{source} suite score" if source in (plan.name, plan.corpus) else f"{source} score"


def curve_sources(results: StudyResults) -> tuple[CurveSource, ...]:
    """Every score with curves: those of curve suites first, then held-out losses."""
    plan = results.plan
    directions = {suite.name: suite.direction for suite in results.suites}
    followed: dict[str, CurveSource] = {}
    for suite in results.curve_suites:
        sign = 1.0 if directions[suite.follows] == "max" else -1.0
        followed.setdefault(suite.follows, _source(plan, suite.follows, suite, sign))
    losses = [COMMON] if common_kind(results) is not None else []
    same = common_terms(results)
    losses += [name for name in _shared_terms(results) if name not in same]
    return (*followed.values(), *(_source(plan, name, None, -1.0) for name in losses))


def common_terms(results: StudyResults) -> tuple[str, ...]:
    """The held-out terms whose loss is the common loss by another name."""
    if common_kind(results) is None:
        return ()
    terms = dict.fromkeys(
        HELDOUT + term
        for item in results.plan.objectives
        for record in results.pretrained(item.name)
        for point in record.points
        for term in point.heldout
        if term != "loss"
    )
    return tuple(term for term in terms if is_the_common_loss(results, term))


def _shared_terms(results: StudyResults) -> tuple[str, ...]:
    """The held-out terms that the baseline has in common with another objective."""
    terms = dict.fromkeys(
        source
        for objective in results.plan.objectives
        if objective.name != results.plan.baseline
        for source in score_sources(results, Pair(objective.name, results.plan.baseline))
        if source.startswith(HELDOUT) and source != COMMON
    )
    return tuple(terms)


def _source(plan: Plan, name: str, suite: PlannedSuite | None, sign: float) -> CurveSource:
    return CurveSource(name=name, words=score_words(plan, name), suite=suite, sign=sign)


def source_curves(results: StudyResults, source: CurveSource) -> Mapping[str, Curve]:
    """Objective -> its curve, in the order of the plan; a loss that it lacks is NaN."""
    if source.suite is not None:
        return score_curves(results, source.suite)
    return _heldout_curves(results, source.name)


def source_lines(results: StudyResults, source: CurveSource) -> Lines | None:
    """The reference lines that a score can be compared with: those of the common loss alone."""
    kind = common_kind(results)
    if source.name != COMMON or results.lines is None or kind is None:
        return None
    return results.lines.lines.get(kind)


def _heldout_curves(results: StudyResults, source: str) -> Mapping[str, Curve]:
    curves = {}
    for objective in results.plan.objectives:
        side = curve_side(results, objective.name, source)
        assert side is not None  # a loss was taken at every point
        shares = _shares(results.pretrained(objective.name), side.scores.shape[1])
        # SideScores are turned so that greater is better.
        spend = np.moveaxis(side.spend, 0, 1)
        curves[objective.name] = Curve(objective.name, shares, spend, -side.scores.T)
    return curves


def _shares(runs: tuple[PretrainRecord, ...], points: int) -> tuple[float, ...]:
    """The points' shares of the budget, from a run that has them all."""
    for run in runs:
        if len(run.points) == points:
            return tuple(sorted(point.share for point in run.points))
    return tuple(float(share) for share in np.arange(1, points + 1) / points)
