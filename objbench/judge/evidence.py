"""From records to what is judged: paired differences and pairs of curves, seed by seed.

A pretraining seed counts only if nothing is missing on either side and neither run is stuck (see
``learning``); the others are named with what they lack, and no average is taken over a part. So
whatever is found holds among runs that learnt; how many did not is ``stuck_share``'s to say. A run of
which it is not known whether it learnt counts: ``obstacles`` then holds the verdict back.

Shape legend: S seeds that count, P points of a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from objbench.contract.meters import AXES, Axis
from objbench.judge.formatting import count, listed
from objbench.judge.learning import learning, stuck_seeds
from objbench.judge.score_source import (
    Pair,
    SideScores,
    curve_side,
    final_side,
    following_suite,
    planned_suite,
)
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.proportions import BoolArray
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.ties import difference
from objbench.results.plan import PlannedCell
from objbench.results.study_results import StudyResults


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pretraining seed that does not count.

    Attributes:
        why: what is missing or stuck, and on which side.
        diverged: whether a run of it ended because its loss was no longer a finite number.
        stuck: whether nothing is missing, and a run of it did not learn.
    """

    seed: int
    why: str
    diverged: bool
    stuck: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class GainEvidence:
    """Final scores, paired by seed.

    Attributes:
        seeds: the S seeds that count, in the order of the plan.
        differences: (S,) float64, objective minus baseline; greater is better.
    """

    seeds: tuple[int, ...]
    differences: FloatArray
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CurveEvidence:
    """Curves of both sides, paired by seed.

    Attributes:
        seeds: the S seeds that count, in the order of the plan.
        curves: axis -> the baseline's and the objective's curves, for every axis on which spend was
            measured; empty where no seed counts.
    """

    seeds: tuple[int, ...]
    curves: Mapping[Axis, tuple[SeedCurves, SeedCurves]]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LearningEvidence:
    """Whether the runs of both sides learnt, paired by seed.

    Attributes:
        seeds: the S seeds at which it is known of both, in the order of the plan.
        objective, baseline: (S,) bool.
    """

    seeds: tuple[int, ...]
    objective: BoolArray
    baseline: BoolArray
    left_out: tuple[LeftOut, ...]


def learning_evidence(results: StudyResults, pair: Pair) -> LearningEvidence:
    """Whether the runs of the pair learnt, whatever they were scored by."""
    runs = {name: learning(results, name) for name in (pair.baseline, pair.objective)}
    counted, left_out = [], []
    for seed in results.seeds:
        gaps = [
            _gap(results, name, seed, "", final=True)
            for name, own in runs.items()
            if seed not in own
        ]
        unknown = [n for n, own in runs.items() if seed in own and own[seed].status == "unknown"]
        gaps += [(f"whether {name} learnt was not measured", False) for name in unknown]
        if gaps:
            why = listed([why for why, _ in gaps])
            left_out.append(LeftOut(seed, why, any(diverged for _, diverged in gaps)))
        else:
            counted.append(seed)
    learnt = {
        name: np.array([own[seed].status == "learnt" for seed in counted], dtype=bool)
        for name, own in runs.items()
    }
    return LearningEvidence(
        tuple(counted), learnt[pair.objective], learnt[pair.baseline], tuple(left_out)
    )


def gain_evidence(results: StudyResults, pair: Pair, source: str) -> GainEvidence:
    """The final scores of the pair.

    Args:
        source: one of ``score_sources``.
    """
    baseline = final_side(results, pair.baseline, source)
    objective = final_side(results, pair.objective, source)
    counted, left_out = _counted(results, pair, (baseline, objective), source, final=True)
    return GainEvidence(
        tuple(results.seeds[index] for index in counted),
        difference(objective.scores[counted, 0], baseline.scores[counted, 0]),
        left_out,
    )


def curve_evidence(results: StudyResults, pair: Pair, source: str) -> CurveEvidence:
    """The curves of the pair on every axis.

    Args:
        source: one of ``score_sources``; a suite that no curve suite follows has final scores
            only, so every seed is left out.
    """
    baseline = curve_side(results, pair.baseline, source)
    objective = curve_side(results, pair.objective, source)
    if baseline is None or objective is None:
        why = f"{source} was scored at the end of the budget only"
        left_out = tuple(LeftOut(seed, why, diverged=False) for seed in results.seeds)
        return CurveEvidence((), {}, left_out)
    counted, left_out = _counted(results, pair, (baseline, objective), source, final=False)
    steps = {item.name: 1.0 / max(item.steps, 1) for item in results.plan.objectives}
    curves = {}
    for index, axis in enumerate(AXES if counted else ()):
        ours, theirs = (side.spend[counted, :, index] for side in (objective, baseline))
        if _rises(theirs) and _rises(ours):
            curves[axis] = (
                SeedCurves(theirs, baseline.scores[counted], steps[pair.baseline]),
                SeedCurves(ours, objective.scores[counted], steps[pair.objective]),
            )
    return CurveEvidence(tuple(results.seeds[index] for index in counted), curves, left_out)


def incomplete(left_out: Iterable[LeftOut]) -> tuple[int, ...]:
    """The seeds that lack something; those of stuck runs are complete."""
    return tuple(item.seed for item in left_out if not item.stuck)


def _rises(spend: FloatArray) -> bool:
    """Whether every point was measured to cost more than the one before."""
    return bool((spend > 0).all() and (np.diff(spend, axis=1) > 0).all())


def _counted(
    results: StudyResults,
    pair: Pair,
    sides: tuple[SideScores, SideScores],
    source: str,
    *,
    final: bool,
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """Indices of the seeds that are complete and not stuck on either side, and why the others are not."""
    stuck = {name: stuck_seeds(results, name) for name in (pair.baseline, pair.objective)}
    counted, left_out = [], []
    for index, seed in enumerate(results.seeds):
        gaps = [
            _gap(results, name, seed, source, final=final)
            for name, side in zip((pair.baseline, pair.objective), sides, strict=True)
            if not side.whole[index]
        ]
        if gaps:
            why = listed([why for why, _ in gaps])
            left_out.append(LeftOut(seed, why, any(diverged for _, diverged in gaps)))
        elif names := [name for name, seeds in stuck.items() if seed in seeds]:
            verb = "is" if len(names) == 1 else "are"
            why = f"{listed(names)} {verb} stuck"
            left_out.append(LeftOut(seed, why, diverged=False, stuck=True))
        else:
            counted.append(index)
    return counted, tuple(left_out)


def _gap(
    results: StudyResults, objective: str, seed: int, source: str, *, final: bool
) -> tuple[str, bool]:
    """What one side of a seed lacks, and whether something of it diverged."""
    own = results.of_run(objective, seed)
    pretraining = next(cell for cell in own if cell.kind == "pretrain")
    state = results.state(pretraining)
    if state != "ok":
        # A run that was skipped because its teacher diverged counts as diverged too.
        states = [state, *(results.state(teacher) for teacher in results.upstream(pretraining))]
        return f"{objective}'s pretraining {_did(state, 1)}", "diverged" in states
    states = [results.state(cell) for cell in _needed(results, own, source, final=final)]
    lacking = [
        f"{count(states.count(state), 'evaluation')} of {objective} "
        f"{_did(state, states.count(state))}"
        for state in ("failed", "diverged", "missing")
        if state in states
    ]
    if lacking:
        return listed(lacking), "diverged" in states
    return f"the records of {objective} lack {source} or its spend", False


def _needed(
    results: StudyResults, own: Iterable[PlannedCell], source: str, *, final: bool
) -> list[PlannedCell]:
    """The evaluations a score is made of: a curve's points use the first fine-tuning seeds only."""
    suite, follower = planned_suite(results, source), following_suite(results, source)
    if suite is None:
        return []
    cells = [cell for cell in own if cell.kind == "evaluation" and cell.suite == source]
    if final or follower is None:
        return [cell for cell in cells if cell.share >= 1.0]
    chosen = suite.seeds[: follower.seeds_per_point]
    return [cell for cell in cells if cell.finetune_seed in chosen]


def _did(state: str, number: int) -> str:
    if state in ("failed", "diverged"):
        return state
    return "has not run yet" if number == 1 else "have not run yet"
