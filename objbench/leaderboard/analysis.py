"""From a study's records to its report: everything that they show is computed here, once."""

from __future__ import annotations

from collections.abc import Mapping

from objbench.judge.judgement import concerned, judge_by_every_score
from objbench.judge.looks import look_at
from objbench.judge.papers.claims import shipped_claims
from objbench.judge.score_arrays import (
    column_curves,
    final_scores,
)
from objbench.judge.score_source import common_kind
from objbench.judge.selftest.error_rates import read_rates
from objbench.leaderboard.aggregates import interquartile_gains
from objbench.leaderboard.caveats import caveats
from objbench.leaderboard.columns import column_scores, gains
from objbench.leaderboard.costs import heldout_losses, objective_costs
from objbench.leaderboard.curve_sources import (
    CurveSource,
    common_terms,
    curve_sources,
    source_curves,
    source_lines,
)
from objbench.leaderboard.curve_values import curve_values
from objbench.leaderboard.example_gains import example_gains
from objbench.leaderboard.floors import suite_floors
from objbench.leaderboard.foremost import MOST_ROWS, drawn
from objbench.leaderboard.missing import gaps, stale_records
from objbench.leaderboard.ranking import ranking
from objbench.leaderboard.report import CurveReport, Report, Scale, SuiteReport
from objbench.leaderboard.run_learning import RunLearning, run_learning
from objbench.leaderboard.settings import (
    objective_settings,
    study_settings,
)
from objbench.leaderboard.speedups import speedups
from objbench.leaderboard.tuning import study_tuning
from objbench.leaderboard.unscored import unscored_sentence
from objbench.results.plan import PlannedSuite
from objbench.results.records import PretrainRecord
from objbench.results.step_comparison import StepComparison
from objbench.results.study_results import StudyResults


def analyse(results: StudyResults, steps: StepComparison | None = None) -> Report:
    """Everything that a study's records show.

    Args:
        results: the plan and its records.
        steps: the comparison of the objectives' steps, where one was made.
    """
    claims = shipped_claims()
    learnt = run_learning(results)
    about = concerned(results, claims)
    return Report(
        plan=results.plan,
        seeds=results.seeds,
        look=look_at(results),
        scale=_scale(results),
        date=_date(results),
        verdicts=judge_by_every_score(results, about),
        other_claims=tuple(f for f in claims if f.name not in {file.name for file in about}),
        rates=read_rates(),
        learning=learnt,
        lines=results.lines,
        common_kind=common_kind(results),
        common_terms=common_terms(results),
        suites=tuple(_suite(results, suite, learnt) for suite in results.suites),
        curves=tuple(_curve(results, source, learnt) for source in curve_sources(results)),
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
        sent_in=results.sent_in,
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


def _suite(
    results: StudyResults, suite: PlannedSuite, learnt: Mapping[str, RunLearning]
) -> SuiteReport:
    found = final_scores(results, suite)
    rows = ranking(results, found)
    ranked = {row.objective for row in rows if row.gain is not None}
    is_drawn = any(other.follows == suite.name for other in results.curve_suites)
    along = None if is_drawn else column_curves(results, suite)
    return SuiteReport(
        suite=suite,
        found=found,
        rows=rows,
        floors=suite_floors(results, found, rows, learnt),
        columns=column_scores(results.plan, found, learnt),
        gains=gains(results.plan, found, ranked, learnt),
        example_gains=example_gains(results, found, ranked),
        interquartile=interquartile_gains(results.plan, found, ranked, learnt),
        along_budget=along if along is not None and len(along.shares) > 1 else None,
        unscored=unscored_sentence(results, suite),
        other_curves={
            column: values
            for other in results.curve_suites
            if other.follows == suite.name
            for column, values in curve_values(results, other).items()
        },
    )


def _curve(
    results: StudyResults, source: CurveSource, learnt: Mapping[str, RunLearning]
) -> CurveReport:
    curves, baseline = source_curves(results, source), results.plan.baseline
    counted = {name: runs.counted for name, runs in learnt.items()}
    shown = drawn(curves, source.sign, baseline, counted)
    whole = shown if len(curves) > MOST_ROWS else tuple(curves)
    return CurveReport(
        source=source,
        baseline=baseline,
        curves=curves,
        drawn=shown,
        counted=counted,
        lines=source_lines(results, source),
        speedups=speedups(results, source, curves, whole),
    )
