"""What holds a verdict back, most basic first: whatever the numbers say, they then decide nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from objbench.judge.budgets import budget_mismatch
from objbench.judge.evidence import LeftOut
from objbench.judge.learning import learning, stuck_seeds, unknown_seeds
from objbench.judge.looks import Look
from objbench.judge.score_source import Pair
from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.results.study_results import StudyResults

Obstacle = Literal[
    "score not in study",
    "a loss",
    "no complete seed",
    "no shared spend",
    "unequal spend",
    "diverged",
    "look not reached",
    "learning unknown",
    "few learnt",
    "no floors",
    "insensitive",
]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Why a finding is no verdict.

    Attributes:
        obstacle: "score not in study": the study does not have the score that the claim names;
            "a loss": a gain in points was claimed and a loss is judged by; "no complete seed";
            "no shared spend": the seeds have no range of spend on the claimed axis in common;
            "unequal spend": the two objectives had different budgets; "diverged": a run did;
            "look not reached": not all seeds of the first declared look are complete;
            "learning unknown": of a run it is not known whether it learnt; "few learnt": fewer than
            ``MIN_RUNS`` pairs are left because runs are stuck; "no floors": what the suite scores
            without pretraining was not measured; "insensitive": the score does not see what was
            learnt.
        details: by obstacle: the missing score, the seeds that diverged or are not complete, why no
            seed is complete, how the budgets differ, how many runs learnt, or where the score fails.
    """

    obstacle: Obstacle
    details: tuple[str, ...] = ()


def in_order(found: Iterable[HeldBack | None]) -> tuple[HeldBack, ...]:
    """The obstacles that there are, most basic first."""
    order = get_args(Obstacle)
    there = [item for item in found if item is not None]
    return tuple(sorted(there, key=lambda item: order.index(item.obstacle)))


def nothing_left(left_out: tuple[LeftOut, ...]) -> HeldBack:
    """Why no seed is complete."""
    return HeldBack("no complete seed", tuple(dict.fromkeys(item.why for item in left_out)))


def unequal_spend(results: StudyResults, pair: Pair) -> HeldBack | None:
    """How the budgets of the pair differ; None where they are equal."""
    planned = {item.name: item for item in results.plan.objectives}
    whys = tuple(
        f"{name}: {why}"
        for name in (pair.objective, pair.baseline)
        if (why := budget_mismatch(results.plan, planned[name]))
    )
    return HeldBack("unequal spend", whys) if whys else None


def divergence(left_out: tuple[LeftOut, ...]) -> HeldBack | None:
    """The seeds that diverged; None where none did.

    A run that diverged is a result and not a gap: the seeds that are left are the lucky ones.
    """
    diverged = tuple(str(item.seed) for item in left_out if item.diverged)
    return HeldBack("diverged", diverged) if diverged else None


def look_not_reached(look: Look, left_out: tuple[LeftOut, ...]) -> HeldBack | None:
    """The seeds that the first look lacks; None where it is reached, or lacks diverged ones only."""
    diverged = {item.seed for item in left_out if item.diverged}
    lacking = tuple(str(seed) for seed in look.incomplete if seed not in diverged)
    if look.is_reached or (look.incomplete and not lacking):
        return None
    return HeldBack("look not reached", lacking)


def learning_unknown(
    results: StudyResults, pair: Pair, seeds: tuple[int, ...] | None = None
) -> HeldBack | None:
    """Whether of a run that counts it is not known whether it learnt.

    Args:
        seeds: those that count; all when None.
    """
    for name in (pair.objective, pair.baseline):
        unknown = unknown_seeds(results, name)
        if any(seeds is None or seed in seeds for seed in unknown):
            return HeldBack("learning unknown")
    return None


def few_learnt(
    results: StudyResults, pair: Pair, seeds: tuple[int, ...], left_out: tuple[LeftOut, ...]
) -> HeldBack | None:
    """How many runs learnt, where too few pairs are left because others are stuck."""
    if len(seeds) >= MIN_RUNS or not any(item.stuck for item in left_out):
        return None
    sides = {}
    for name in (pair.baseline, pair.objective):
        runs = len(learning(results, name))
        if stuck := len(stuck_seeds(results, name)):
            sides[name] = f"{name} learnt in {runs - stuck} of {runs} runs"
    return HeldBack("few learnt", tuple(sides.values()))
