"""Speedups over the baseline as the judge finds them, on every compute axis.

They are the numbers of the verdicts, so a page cannot say two things of one speedup: it is among runs
that learnt, and at the look that the study has reached. An objective is compared only where no seed
of it or of the baseline lacks a point.
What is known of a speedup that was not measured is a bound and never a number.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from objbench.contract.meters import AXES, Axis
from objbench.judge.evidence import CurveEvidence, curve_evidence
from objbench.judge.formatting import listed
from objbench.judge.looks import Look, at_look, look_at
from objbench.judge.score_arrays import Curve
from objbench.judge.score_source import COMMON, Pair
from objbench.judge.shared_corruption import shared_masking
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.seed_curves import isotonic
from objbench.judge.statistics.speedup import SpeedupAt, speedup_function
from objbench.judge.verdict import (
    EARLY,
    NO_SPEEDUP,
    Comparison,
    Finding,
    compare_at_once,
    judge_early_speedup,
    judge_speedup,
)
from objbench.leaderboard.curve_sources import CurveSource
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.run_learning import BoolArray, run_learning
from objbench.results.plan import Plan
from objbench.results.study_results import StudyResults

# Parts of the way from the baseline's first point to its last.
_PARTS = (
    (0.75, "75% of its improvement"),
    (0.5, "50% of its improvement"),
    (0.25, "25% of its improvement"),
)

Function = tuple[SpeedupAt, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtTarget:
    """The speedup to one score of the baseline.

    Attributes:
        score: the target, as it was measured.
        where: the place of the target on the baseline's curve, in words.
        speedups: axis -> the speedup; without the axes on which it was not measured.
    """

    score: float
    where: str
    speedups: Mapping[Axis, Quantity]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Speedups:
    """One objective against the baseline by one score.

    Attributes:
        headline: axis -> what the seeds say of the speedup to the baseline's final score; empty
            where ``why`` says why, and without axes that were not measured.
        targets: the baseline's final score, then others down its curve; as empty.
        early: the baseline's score at two thirds of its budget, which equal objectives always reach;
            None where ``why`` says why, and where it was not measured.
        functions: axis -> the speedup at every target, by rising target; as empty.
        comparison: whether it is faster or slower than the baseline on the axis of equal spend,
            with all objectives compared at once; "unclear" where ``headline`` lacks that axis, and
            for a held-out loss that is not measured under the baseline's masking.
        why: what is missing; "" where nothing is.
    """

    objective: str
    headline: Mapping[Axis, Finding]
    targets: tuple[AtTarget, ...]
    early: AtTarget | None
    functions: Mapping[Axis, Function]
    comparison: Comparison
    why: str


def speedup_quantity(found: Finding | SpeedupAt) -> Quantity:
    """A speedup with its interval."""
    return Quantity(estimate=found.estimate, low=found.low, high=found.high, notation="speedup")


def speedups(
    results: StudyResults, source: CurveSource, curves: Mapping[str, Curve], whole: Collection[str]
) -> Mapping[str, Speedups]:
    """Objective -> its speedups, in the order of the plan; without the baseline.

    Args:
        whole: the objectives of which every target is wanted; of others only the judged one is.
    """
    baseline = results.plan.baseline
    targets = _targets(source, curves[baseline], run_learning(results)[baseline].counted)
    look = look_at(results)
    results = at_look(results, look)
    others = [o.name for o in results.plan.objectives if o.name != baseline]
    evidences = {n: curve_evidence(results, Pair(n, baseline), source.name) for n in others}
    lacking = {n: [gone for gone in e.left_out if not gone.stuck] for n, e in evidences.items()}
    headlines = {n: {} if lacking[n] else _headline(e, look) for n, e in evidences.items()}
    comparisons = _compared_at_once(results.plan, source, evidences, headlines, look)
    found = {}
    for name, evidence in evidences.items():
        gaps = lacking[name] if evidence.seeds else evidence.left_out
        whys = dict.fromkeys(f"seed {gone.seed}: {gone.why}" for gone in gaps)
        headline = headlines[name]
        wanted = headline if name in whole else {}
        at = [_at_target(evidence, wanted, source, *target) for target in targets if wanted]
        final = AtTarget(
            score=_final(source, evidence) if headline else float("nan"),
            where="final score (judged)",
            speedups={axis: speedup_quantity(item) for axis, item in headline.items()},
        )
        found[name] = Speedups(
            objective=name,
            headline=headline,
            targets=(final, *at) if headline else (),
            early=_early(source, evidence, wanted, look),
            functions=_functions(evidence, wanted),
            comparison=comparisons.get(name, "unclear"),
            why=listed(list(whys)),
        )
    return found


def axis_orders(
    baseline: str, found: Mapping[str, Speedups]
) -> Mapping[tuple[str, ...], tuple[Axis, ...]]:
    """Order of the objectives by the estimates, fastest first -> the axes on which it is so.

    Only objectives with a measured value on every axis take part: a bound has no place in an
    order. The baseline is 1; equal printed values stay in the order of the plan, with the baseline
    first.
    """
    values: dict[str, dict[Axis, float]] = {baseline: dict.fromkeys(AXES, NO_SPEEDUP)}
    for name, item in found.items():
        estimates = {axis: finding.estimate for axis, finding in item.headline.items()}
        if len(estimates) == len(AXES) and not any(e.side for e in estimates.values()):
            values[name] = {axis: e.value for axis, e in estimates.items()}
    orders: dict[tuple[str, ...], tuple[Axis, ...]] = {}
    if len(values) < 2:
        return orders
    for axis in AXES:
        order = tuple(sorted(values, key=lambda name: -round(values[name][axis], 2)))
        orders[order] = (*orders.get(order, ()), axis)
    return orders


def _headline(evidence: CurveEvidence, look: Look) -> dict[Axis, Finding]:
    headline = {}
    level = look.level(len(evidence.seeds))
    for axis, (baseline, candidate) in evidence.curves.items():
        # Seeds on clocks so different that their device seconds share no stretch.
        with suppress(ValueError):
            found = judge_speedup(baseline, candidate, NO_SPEEDUP, level=level)
            headline[axis] = found if look.is_reached else replace(found, comparison="unclear")
    return headline


def _compared_at_once(
    plan: Plan,
    source: CurveSource,
    evidences: Mapping[str, CurveEvidence],
    headlines: Mapping[str, Mapping[Axis, Finding]],
    look: Look,
) -> dict[str, Comparison]:
    """Objective -> its comparison on the axis of equal spend, of those that can be compared."""
    axis = plan.equalize
    if not look.is_reached:
        return {}
    return compare_at_once(
        {
            name: evidences[name].curves[axis]
            for name, headline in headlines.items()
            if axis in headline
            and (
                source.suite
                or source.name == COMMON
                or shared_masking(plan, source.term, (name, plan.baseline))
            )
        },
        look.error_rate,
    )


def _functions(
    evidence: CurveEvidence, axes: Mapping[Axis, Finding], targets: FloatArray | None = None
) -> Mapping[Axis, Function]:
    """The speedup at every target on each of ``axes``.

    Args:
        targets: (n,) float64, scores with greater being better; evenly over the baseline's curve
            when None. A target that was not measured on an axis is left out there.
    """
    made: dict[Axis, Function] = {}
    for axis in axes:
        with suppress(ValueError):
            made[axis] = speedup_function(*evidence.curves[axis], targets=targets)
    return made


def _final(source: CurveSource, evidence: CurveEvidence) -> float:
    """The baseline's final score, over the seeds that count."""
    baseline, _ = next(iter(evidence.curves.values()))
    return source.sign * float(baseline.scores[:, -1].mean())


def _early(
    source: CurveSource, evidence: CurveEvidence, axes: Mapping[Axis, Finding], look: Look
) -> AtTarget | None:
    """The speedup to the baseline's score at two thirds of its budget, on each of ``axes``."""
    level, scores, found = look.level(len(evidence.seeds)), [], {}
    for axis in axes:
        baseline, candidate = evidence.curves[axis]
        # A curve may begin later than that.
        with suppress(ValueError):
            made = judge_early_speedup(baseline, candidate, NO_SPEEDUP, level)
            found[axis] = speedup_quantity(made)
            scores.append(source.sign * float(baseline.at(EARLY * baseline.last).mean()))
    if not scores:
        return None
    # In steps, the first axis, every seed has the same two thirds.
    return AtTarget(score=scores[0], where="score at two thirds of its budget", speedups=found)


def _at_target(
    evidence: CurveEvidence,
    axes: Mapping[Axis, Finding],
    source: CurveSource,
    target: float,
    where: str,
) -> AtTarget:
    made = _functions(evidence, axes, np.array([target]))
    found = {axis: speedup_quantity(ends[0]) for axis, ends in made.items() if ends}
    return AtTarget(score=source.sign * target, where=where, speedups=found)


def _targets(source: CurveSource, curve: Curve, counted: BoolArray) -> list[tuple[float, str]]:
    """Scores of the baseline, greater being better, in words; none where its curve is flat.

    Args:
        counted: (S,) bool, the seeds whose run is not stuck.
    """
    if not len(curve.shares) or not counted.any() or not np.isfinite(curve.scores).all():
        return []
    means = isotonic(source.sign * curve.scores[:, counted].mean(axis=1))
    first, last = float(means[0]), float(means[-1])
    return [(first + part * (last - first), words) for part, words in _PARTS if last > first]
