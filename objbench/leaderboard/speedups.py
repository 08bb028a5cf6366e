"""Speedups over the baseline as the judge finds them: on every axis, at the baseline's final score.

They are the numbers of the verdicts, so a page cannot say two things of one speedup. An objective
is compared only where no seed of it or of the baseline lacks a point; what is known of a speedup
that was not measured is a bound, "more than 8.00x", and never a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.evidence import CurveEvidence, curve_evidence
from objbench.judge.formatting import listed, ratio
from objbench.judge.score_source import Pair
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.judge.statistics.speedup import Bound
from objbench.judge.teacher_costs import qualified
from objbench.judge.verdict import NO_SPEEDUP, Comparison, Finding, judge_speedup
from objbench.leaderboard.curve_sources import CurveSource
from objbench.results.study_results import StudyResults

_SIDES = {"": "", "below": "less than ", "above": "more than "}
_DIRECTIONS: Mapping[Comparison, str] = {
    "better": "faster",
    "worse": "slower",
    "unclear": "not told apart from {baseline}",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speedups:
    """One objective against the baseline by one score.

    Attributes:
        evidence: the curves of both.
        headline: axis -> what the seeds say of the speedup to the baseline's final score; empty
            where ``why`` says why, and without axes that were not measured.
        why: what is missing; "" where nothing is.
    """

    objective: str
    source: CurveSource
    evidence: CurveEvidence
    headline: Mapping[Axis, Finding]
    why: str


def speedups(results: StudyResults, source: CurveSource) -> Mapping[str, Speedups]:
    """Objective -> its speedups, in the order of the plan; without the baseline."""
    return results.once(("speedups", source.name), lambda: _speedups(results, source))


def _speedups(results: StudyResults, source: CurveSource) -> Mapping[str, Speedups]:
    found = {}
    for objective in results.plan.objectives:
        if objective.name == results.plan.baseline:
            continue
        evidence = curve_evidence(results, Pair(objective.name, results.plan.baseline), source.name)
        headline = {}
        for axis, (baseline, candidate) in evidence.curves.items():
            # Seeds on clocks so different that their device seconds share no stretch.
            with suppress(ValueError):
                headline[axis] = judge_speedup(baseline, candidate, NO_SPEEDUP)
        whys = dict.fromkeys(f"seed {gone.seed}: {gone.why}" for gone in evidence.left_out)
        found[objective.name] = Speedups(
            objective=objective.name,
            source=source,
            evidence=evidence,
            headline={} if evidence.left_out else headline,
            why=listed(list(whys)),
        )
    return found


def bound_words(bound: Bound) -> str:
    """A speedup or what is known of it: "1.84x", "more than 8.00x"."""
    return _SIDES[bound.side] + ratio(bound.value)


def brief_bound(bound: Bound) -> str:
    """The same where there is little room: "1.84x", ">8.00x"."""
    return {"": "", "below": "<", "above": ">"}[bound.side] + ratio(bound.value)


def speedup_text(estimate: Bound, low: Bound | None, high: Bound | None) -> str:
    """An estimate with its 95% interval in square brackets, where it has one."""
    text = bound_words(estimate)
    if low is None or high is None:
        return text
    return f"{text} [{bound_words(low)} to {bound_words(high)}]"


def axis_orders(
    results: StudyResults, source: CurveSource
) -> Mapping[tuple[str, ...], tuple[Axis, ...]]:
    """Order of the objectives by the estimates, fastest first -> the axes on which it is so.

    Only objectives with a measured value on every axis take part: a bound has no place in an
    order. The baseline is 1; equal printed values stay in the order of the plan.
    """
    found = speedups(results, source)
    values: dict[str, dict[Axis, float]] = {}
    for objective in results.plan.objectives:
        if objective.name == results.plan.baseline:
            values[objective.name] = dict.fromkeys(AXES, NO_SPEEDUP)
            continue
        estimates = {a: f.estimate for a, f in found[objective.name].headline.items()}
        if len(estimates) == len(AXES) and not any(e.side for e in estimates.values()):
            values[objective.name] = {axis: e.value for axis, e in estimates.items()}
    orders: dict[tuple[str, ...], tuple[Axis, ...]] = {}
    if len(values) < 2:
        return orders
    for axis in AXES:
        order = tuple(sorted(values, key=lambda name: -round(values[name][axis], 2)))
        orders[order] = (*orders.get(order, ()), axis)
    return orders


def axes_sentence(results: StudyResults, source: CurveSource) -> str:
    """Whether the axes agree on which objective is fastest, in one sentence; "" if unknown."""
    orders = axis_orders(results, source)
    if not orders:
        return ""
    lead, names = f"By {source.words}, the order by estimated speedup", next(iter(orders))
    if len(orders) == 1:
        return qualified(results, names, f"{lead} is the same on every axis: {', '.join(names)}.")
    parts = [f"{', '.join(order)} by {_axes(axes)}" for order, axes in orders.items()]
    return qualified(results, names, f"{lead} depends on the axis: {'; '.join(parts)}.")


def direction_sentences(results: StudyResults, source: CurveSource) -> list[str]:
    """On which axes each objective is faster or slower than the baseline by its whole interval."""
    if len(results.seeds) < MIN_RUNS:
        return []
    baseline = results.plan.baseline
    found = []
    for item in speedups(results, source).values():
        axes: dict[Comparison, tuple[Axis, ...]] = {}
        for axis, finding in item.headline.items():
            axes[finding.comparison] = (*axes.get(finding.comparison, ()), axis)
        parts = [
            f"{words.format(baseline=baseline)} in {_axes(axes[direction])}"
            for direction, words in _DIRECTIONS.items()
            if direction in axes
        ]
        if len(axes) == 1 and len(item.headline) == len(AXES):
            direction = next(iter(axes))
            parts = (
                [f"told apart from {baseline} on no axis"]
                if direction == "unclear"
                else [f"{_DIRECTIONS[direction]} on every axis"]
            )
        if parts:
            sentence = (
                f"To {baseline}'s final {source.words}, by the 95% intervals, {item.objective} is "
                f"{', '.join(parts)}."
            )
            found.append(qualified(results, [item.objective], sentence))
    return found


def _axes(axes: tuple[Axis, ...]) -> str:
    return listed([AXIS_WORDS[axis] for axis in axes])
