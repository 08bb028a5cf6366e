"""A study analysed: every number, verdict and caveat of its leaderboard, before it is written.

``analyse`` computes everything once. What comes after it (pages, terminal, index, a data frame)
takes the report or the part that it needs, and computes no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from objbench.judge.judgement import Judged, concerned, judge_by_every_score
from objbench.judge.papers.claims import ClaimFile, shipped_claims
from objbench.judge.score_arrays import (
    ColumnCurves,
    Curve,
    SuiteScores,
    column_curves,
    final_scores,
)
from objbench.judge.selftest.error_rates import Rates, read_rates
from objbench.judge.statistics.estimate import Estimate
from objbench.leaderboard.aggregates import interquartile_gains
from objbench.leaderboard.caveats import caveats
from objbench.leaderboard.columns import ColumnScores, Gains, column_scores, gains
from objbench.leaderboard.costs import ObjectiveCost, heldout_losses, objective_costs
from objbench.leaderboard.curve_sources import CurveSource, curve_sources, source_curves
from objbench.leaderboard.curve_values import CurveValues, curve_values
from objbench.leaderboard.foremost import MOST_ROWS, above_fold, drawn
from objbench.leaderboard.missing import Gap, StaleRecords, gaps, stale_records
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.ranking import Row, ranking
from objbench.leaderboard.settings import (
    ObjectiveSettings,
    objective_settings,
    study_settings,
)
from objbench.leaderboard.speedups import Speedups, speedups
from objbench.leaderboard.tuning import Tuning, study_tuning
from objbench.leaderboard.unscored import unscored_sentence
from objbench.results.plan import Plan, PlannedSuite
from objbench.results.records import PretrainRecord
from objbench.results.step_comparison import StepComparison
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the study is.

    Attributes:
        parameters: of the encoder.
        tokens: that the baseline was pretrained on, per seed.
    """

    parameters: int
    tokens: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuiteReport:
    """What the study's final encoders score on one suite.

    Attributes:
        found: the scores as arrays.
        rows: the ranking; nobody is ranked by a suite without an average.
        columns: the columns, then the average.
        gains: of the ranked objectives over the baseline, column by column.
        interquartile: ranked objective -> the interquartile mean of its gains.
        along_budget: the columns at every point of the budget; None where they were taken at
            the end only or are drawn as curves.
        unscored: which columns of whom have no score for a reason that is no gap, in a sentence.
        other_curves: column of a curve suite that is no compute axis -> objective -> its values.
    """

    suite: PlannedSuite
    found: SuiteScores
    rows: tuple[Row, ...]
    columns: tuple[ColumnScores, ...]
    gains: tuple[Gains, ...]
    interquartile: Mapping[str, Quantity]
    along_budget: ColumnCurves | None
    unscored: str
    other_curves: Mapping[str, Mapping[str, CurveValues]]

    @property
    def is_ranked(self) -> bool:
        """Whether the suite has an average, by which objectives are better or worse."""
        return bool(self.suite.average_groups)

    def above_fold(self, baseline: str) -> tuple[str, ...]:
        """The objectives that have a row above the fold, in the order of the ranking."""
        return above_fold([row.objective for row in self.rows], baseline)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CurveReport:
    """One score along the budget.

    Attributes:
        curves: objective -> its curve, in the order of the plan.
        drawn: the objectives that the pictures show, in the order of the plan.
        speedups: objective -> its speedups over the baseline, without the baseline.
    """

    source: CurveSource
    curves: Mapping[str, Curve]
    drawn: tuple[str, ...]
    speedups: Mapping[str, Speedups]

    @property
    def drawn_words(self) -> str:
        """Which objectives the pictures show; "" where they show all that have a curve."""
        there = sum(bool(curve.whole) for curve in self.curves.values())
        if len(self.drawn) == there:
            return ""
        return (
            f"Drawn: the baseline and, of the other {there - 1} objectives, the "
            f"{len(self.drawn) - 1} with the best final {self.source.words}."
        )

    @property
    def above_fold(self) -> tuple[str, ...]:
        """The objectives whose speedups have a row above the fold."""
        if len(self.curves) <= MOST_ROWS:
            return tuple(self.speedups)
        return tuple(name for name in self.speedups if name in self.drawn)

    @property
    def is_drawable(self) -> bool:
        """Whether some objective has two whole points: fewer make no line."""
        return any(len(curve.whole) > 1 for curve in self.curves.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """A study analysed.

    Attributes:
        seeds: the pretraining seeds.
        scale: None before the baseline has been run.
        date: of the last pretraining run, such as "2026-01-31"; "" before the first.
        verdicts: on the claims about the study's objectives, by every score that can answer.
        other_claims: those that ship and are about other objectives.
        rates: the judge's error rates; None where they were not measured of this judge.
        suites: the first is the study's main one.
        curves: every score along the budget.
        costs: in the order of the plan.
        heldout: objective -> term -> its loss on held-out text.
        caveats: what the numbers do not show, in sentences.
        devices: that the records were made on.
    """

    plan: Plan
    seeds: tuple[int, ...]
    scale: Scale | None
    date: str
    verdicts: tuple[Judged, ...]
    other_claims: tuple[ClaimFile, ...]
    rates: Rates | None
    suites: tuple[SuiteReport, ...]
    curves: tuple[CurveReport, ...]
    costs: tuple[ObjectiveCost, ...]
    heldout: Mapping[str, Mapping[str, Estimate]]
    tuning: Tuning | None
    steps: StepComparison | None
    settings: tuple[tuple[str, str], ...]
    objectives: tuple[ObjectiveSettings, ...]
    gaps: tuple[Gap, ...]
    stale: tuple[StaleRecords, ...]
    caveats: tuple[str, ...]
    devices: tuple[str, ...]

    @property
    def baseline(self) -> str:
        """The objective that the others are compared with."""
        return self.plan.baseline

    @property
    def listed_verdicts(self) -> tuple[Judged, ...]:
        """The verdicts as a page lists them: what could not be measured comes last."""
        return tuple(sorted(self.verdicts, key=lambda item: item.finding is None))

    @property
    def others(self) -> tuple[str, ...]:
        """The objectives but for the baseline."""
        return tuple(o.name for o in self.plan.objectives if o.name != self.plan.baseline)


def analyse(results: StudyResults, steps: StepComparison | None = None) -> Report:
    """Everything that a study's records show.

    Args:
        results: the plan and its records.
        steps: the comparison of the objectives' steps, where one was made.
    """
    claims = shipped_claims()
    about = concerned(results, claims)
    return Report(
        plan=results.plan,
        seeds=results.seeds,
        scale=_scale(results),
        date=_date(results),
        verdicts=judge_by_every_score(results, about),
        other_claims=tuple(file for file in claims if file not in about),
        rates=read_rates(),
        suites=tuple(_suite(results, suite) for suite in results.suites),
        curves=tuple(_curve(results, source) for source in curve_sources(results)),
        costs=objective_costs(results),
        heldout=heldout_losses(results),
        tuning=study_tuning(results),
        steps=steps,
        settings=study_settings(results),
        objectives=objective_settings(results),
        gaps=gaps(results),
        stale=stale_records(results),
        caveats=tuple(caveats(results)),
        devices=tuple(sorted({r.provenance.device for r in results.records.values()})),
    )


def _scale(results: StudyResults) -> Scale | None:
    records = results.pretrained(results.plan.baseline)
    if not records or records[0].cost is None or not records[0].points:
        return None
    return Scale(
        parameters=records[0].cost.encoder_parameters, tokens=records[0].points[-1].meters.tokens
    )


def _date(results: StudyResults) -> str:
    """The day on which the last pretraining run ended."""
    ends = [
        record.provenance.finished
        for record in results.records.values()
        if isinstance(record, PretrainRecord) and record.kind == "pretrain"
    ]
    return max(ends, default="")[:10]


def _suite(results: StudyResults, suite: PlannedSuite) -> SuiteReport:
    found = final_scores(results, suite)
    rows = ranking(results, found)
    ranked = {row.objective for row in rows if row.gain is not None}
    is_drawn = any(other.follows == suite.name for other in results.curve_suites)
    along = None if is_drawn else column_curves(results, suite)
    return SuiteReport(
        suite=suite,
        found=found,
        rows=rows,
        columns=column_scores(results.plan, found),
        gains=gains(results.plan, found, ranked),
        interquartile=interquartile_gains(results.plan, found, ranked),
        along_budget=along if along is not None and len(along.shares) > 1 else None,
        unscored=unscored_sentence(results, suite),
        other_curves={
            column: values
            for other in results.curve_suites
            if other.follows == suite.name
            for column, values in curve_values(results, other).items()
        },
    )


def _curve(results: StudyResults, source: CurveSource) -> CurveReport:
    curves, baseline = source_curves(results, source), results.plan.baseline
    shown = drawn(curves, source.sign, baseline)
    whole = shown if len(curves) > MOST_ROWS else tuple(curves)
    return CurveReport(
        source=source,
        curves=curves,
        drawn=shown,
        speedups=speedups(results, source, curves, whole),
    )
