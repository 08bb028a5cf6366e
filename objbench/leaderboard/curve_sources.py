"""The scores that have curves, and those curves: followed suites, and terms of held-out loss.

A held-out term has curves where the baseline and another objective both have it at every point.
Its values are losses as they were measured: lower is better, and each objective's is under its
own corruption of the text.

Shape legend: S pretraining seeds, P points of the budget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from objbench.judge.score_arrays import Curve, score_curves
from objbench.judge.score_source import HELDOUT, Pair, curve_side, loss_words, score_sources
from objbench.leaderboard.quantity import Notation
from objbench.results.plan import Plan, PlannedSuite
from objbench.results.records import PretrainRecord
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSource:
    """A score that was taken along the budget.

    Attributes:
        name: as in ``score_source``: a suite, or "heldout:TERM".
        words: what it is called; see ``score_words``.
        suite: the curve suite that follows it; None for a held-out term.
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
    """What a score is called: "glue score" or "held-out mlm loss".

    A suite that shares its name with the study or with its text says what it is: "toy suite score".
    """
    if source.startswith(HELDOUT):
        return loss_words(source)
    return f"{source} suite score" if source in (plan.name, plan.corpus) else f"{source} score"


def curve_sources(results: StudyResults) -> tuple[CurveSource, ...]:
    """Every score with curves: those of curve suites first, then held-out terms."""
    plan = results.plan
    directions = {suite.name: suite.direction for suite in results.suites}
    followed: dict[str, CurveSource] = {}
    for suite in results.curve_suites:
        sign = 1.0 if directions[suite.follows] == "max" else -1.0
        followed.setdefault(suite.follows, _source(plan, suite.follows, suite, sign))
    terms = dict.fromkeys(
        source
        for objective in plan.objectives
        if objective.name != plan.baseline
        for source in score_sources(results, Pair(objective.name, plan.baseline))
        if source.startswith(HELDOUT)
    )
    return (*followed.values(), *(_source(plan, term, None, -1.0) for term in terms))


def _source(plan: Plan, name: str, suite: PlannedSuite | None, sign: float) -> CurveSource:
    return CurveSource(name=name, words=score_words(plan, name), suite=suite, sign=sign)


def source_curves(results: StudyResults, source: CurveSource) -> Mapping[str, Curve]:
    """Objective -> its curve, in the order of the plan; a term that it lacks is NaN."""
    if source.suite is not None:
        return score_curves(results, source.suite)
    return _heldout_curves(results, source.name)


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
