"""A study analysed: every number, verdict and caveat of its leaderboard, before it is written.

``analysis.analyse`` computes everything once. What comes after it (pages, terminal, index, a data
frame) takes the report or the part that it needs, and computes no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from objbench.judge.judgement import Judged
from objbench.judge.looks import Look
from objbench.judge.papers.claims import ClaimFile
from objbench.judge.score_arrays import (
    ColumnCurves,
    Curve,
    SuiteScores,
)
from objbench.judge.selftest.error_rates import Rates
from objbench.judge.statistics.estimate import Estimate
from objbench.leaderboard.columns import ColumnScores, Gains
from objbench.leaderboard.costs import ObjectiveCost
from objbench.leaderboard.curve_sources import CurveSource
from objbench.leaderboard.curve_values import CurveValues
from objbench.leaderboard.example_gains import ExampleGains
from objbench.leaderboard.floors import SuiteFloors
from objbench.leaderboard.foremost import MOST_ROWS, above_fold
from objbench.leaderboard.missing import Gap, StaleRecords
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.ranking import Row
from objbench.leaderboard.run_learning import BoolArray, RunLearning
from objbench.leaderboard.settings import (
    ObjectiveSettings,
)
from objbench.leaderboard.speedups import Speedups
from objbench.leaderboard.tuning import Tuning
from objbench.results.plan import Plan, PlannedSuite
from objbench.results.reference_lines import Lines, Predicted, ReferenceLines
from objbench.results.step_comparison import StepComparison
from objbench.results.submissions.marks import SentIn


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
        floors: what it gives without pretraining, and whether it is above that.
        columns: the columns, then the average.
        gains: of the ranked objectives over the baseline, column by column.
        interquartile: ranked objective -> the interquartile mean of its gains.
        along_budget: the columns at every point of the budget; None where they were taken at
            the end only or are drawn as curves.
        unscored: which columns of whom have no score for a reason that is no gap, in a sentence.
        other_curves: column of a curve suite that is no compute axis -> objective -> its values.
        example_gains: with intervals over seeds and examples, of whom examples are stored.
    """

    suite: PlannedSuite
    found: SuiteScores
    rows: tuple[Row, ...]
    floors: SuiteFloors
    columns: tuple[ColumnScores, ...]
    gains: tuple[Gains, ...]
    interquartile: Mapping[str, Quantity]
    along_budget: ColumnCurves | None
    unscored: str
    other_curves: Mapping[str, Mapping[str, CurveValues]]
    example_gains: tuple[ExampleGains, ...]

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
        baseline: the objective that the others are compared with.
        curves: objective -> its curve, in the order of the plan.
        drawn: the objectives that the pictures show, in the order of the plan.
        counted: objective -> (S,) bool, the seeds whose run is not stuck.
        lines: what counts alone reach, for a loss that they can be compared with.
        speedups: objective -> its speedups over the baseline, without the baseline.
    """

    source: CurveSource
    baseline: str
    curves: Mapping[str, Curve]
    drawn: tuple[str, ...]
    counted: Mapping[str, BoolArray]
    lines: Lines | None
    speedups: Mapping[str, Speedups]

    @property
    def drawn_words(self) -> str:
        """Which objectives the pictures show; "" where they show all that have a curve."""
        there = [name for name, curve in self.curves.items() if curve.whole]
        if len(self.drawn) == len(there):
            return ""
        first = "the baseline and, of the other" if self.baseline in self.drawn else "of the"
        others, best = ([n for n in names if n != self.baseline] for names in (there, self.drawn))
        return (
            f"Drawn: {first} {len(others)} objectives, the {len(best)} with the best final "
            f"{self.source.words}."
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
        look: at which of them, and at what level, it is read.
        scale: None before the baseline has been run.
        date: of the last pretraining run, such as "2026-01-31"; "" before the first.
        verdicts: on the claims about the study's objectives, by every score that can answer.
        other_claims: those that ship and are about other objectives.
        rates: the judge's error rates; None where they were not measured of this judge.
        learning: objective -> whether its runs learnt, in the order of the plan.
        lines: what counts alone reach on the held-out text; None where not measured.
        common_kind: what the common loss predicts; None where the baseline has none.
        common_terms: "heldout:TERM" of each term whose loss is the common loss by another name.
        suites: the first is the study's main one.
        curves: every score along the budget.
        costs: in the order of the plan.
        heldout: objective -> term -> its loss on held-out text.
        caveats: what the numbers do not show, in sentences.
        devices: that the records were made on.
        sent_in: what is known of a study that somebody else sent; None of one's own.
    """

    plan: Plan
    seeds: tuple[int, ...]
    look: Look
    scale: Scale | None
    date: str
    verdicts: tuple[Judged, ...]
    other_claims: tuple[ClaimFile, ...]
    rates: Rates | None
    learning: Mapping[str, RunLearning]
    lines: ReferenceLines | None
    common_kind: Predicted | None
    common_terms: tuple[str, ...]
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
    sent_in: SentIn | None

    @property
    def baseline(self) -> str:
        """The objective that the others are compared with."""
        return self.plan.baseline

    @property
    def common_lines(self) -> Lines | None:
        """What counts alone reach of the common loss."""
        if self.lines is None or self.common_kind is None:
            return None
        return self.lines.lines.get(self.common_kind)

    @property
    def characters_per_token(self) -> float | None:
        """Of the held-out text, per token that is not special; None where not measured."""
        return None if self.lines is None else self.lines.characters_per_token

    @property
    def listed_verdicts(self) -> tuple[Judged, ...]:
        """The verdicts as a page lists them: by the claims' own scores first."""
        return tuple(
            sorted(self.verdicts, key=lambda item: (not item.is_primary, item.finding is None))
        )

    @property
    def foremost_verdicts(self) -> tuple[Judged, ...]:
        """Of many, those that were measured by the claims' own scores or are settled; else all."""
        if len(self.listed_verdicts) <= MOST_ROWS:
            return self.listed_verdicts
        return tuple(
            item
            for item in self.listed_verdicts
            if item.verdict != "inconclusive" or (item.is_primary and item.finding is not None)
        )

    @property
    def others(self) -> tuple[str, ...]:
        """The objectives but for the baseline."""
        return tuple(o.name for o in self.plan.objectives if o.name != self.plan.baseline)
