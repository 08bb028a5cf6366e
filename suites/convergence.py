"""Convergence: how much less an objective spends to reach the baseline's final score.

Follows another suite's score over the points of the budget and computes one speedup for every pair
of curves and every compute axis, as ``objbench.judge.statistics.speedup.speedup_at`` defines it
for a single seed. Unless the schedule is a trunk, all points but the last are scores of runs whose
learning rate has not yet decayed: that is conservative for the candidate, whose early points would
be higher had its own schedule ended there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from objbench import hookimpl
from objbench.contract.meters import AXES
from objbench.contract.suite import Column, CurvePoint, CurveSuite, CurveValue, Direction, Suite
from objbench.errors import ConfigError, UnknownNameError
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.statistics.speedup import speedup_at


class ConvergenceSuite(CurveSuite):
    """Speedup over the baseline on each of the four compute axes."""

    name = "convergence"
    summary = "speedup to the baseline's final score, on each compute axis"
    reference = "Fu et al. 2022 (TACO), figure 5"
    # 2: a curve that falls again is made to rise by isotonic regression, as in verdicts.
    version = 2

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Options of the convergence suite.

        Attributes:
            of: the suite whose score it follows; the study's first when empty.
            seeds: number of fine-tuning seeds of the followed suite that are run at every point.
        """

        of: str = ""
        seeds: int = 1

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if config.seeds < 1:
            raise ConfigError(f"convergence.seeds = {config.seeds}: give at least 1")

    def follows(self, suites: Sequence[str]) -> str:
        """The suite named by the option ``of``, else the study's first."""
        others = [suite for suite in suites if suite != self.name]
        if not others:
            raise ConfigError(
                "convergence has no suite to follow: name one beside it, "
                "such as --suites glue,convergence"
            )
        if not self.config.of:
            return others[0]
        if self.config.of not in others:
            raise UnknownNameError("suite for convergence.of", self.config.of, others)
        return str(self.config.of)

    @property
    def seeds_per_point(self) -> int:
        """Fine-tuning seeds at every point."""
        return int(self.config.seeds)

    def columns(self) -> tuple[Column, ...]:
        """One speedup per compute axis."""
        return tuple(
            Column(name=axis, task="", metrics=("speedup",), direction="max", scale=1.0)
            for axis in AXES
        )

    def measure(
        self, baseline: Sequence[CurvePoint], candidate: Sequence[CurvePoint], direction: Direction
    ) -> Mapping[str, CurveValue]:
        """Axis -> speedup, for one pretraining seed's pair of curves."""
        return {axis: _on_axis(axis, baseline, candidate, direction) for axis in AXES}


def _on_axis(
    axis: str,
    baseline: Sequence[CurvePoint],
    candidate: Sequence[CurvePoint],
    direction: Direction,
) -> CurveValue:
    for curve, whose in ((baseline, "baseline"), (candidate, "objective")):
        if not curve:
            return CurveValue(None, f"the {whose} has no scored point")
        if any(not point.spend.get(axis, 0) > 0 for point in curve):
            return CurveValue(None, f"no {axis} measured for the {whose}")
    found = speedup_at(
        _curve(axis, baseline, direction), _curve(axis, candidate, direction)
    ).estimate
    if found.side == "below":
        return CurveValue(None, "not reached")
    return CurveValue(found.value, "at least" if found.side == "above" else "")


def _curve(axis: str, points: Sequence[CurvePoint], direction: Direction) -> SeedCurves:
    """The points as the curve of one seed, greater being better."""
    sign = 1.0 if direction == "max" else -1.0
    pairs = sorted((point.spend[axis], sign * point.score) for point in points)
    spend, scores = np.array(pairs).T
    return SeedCurves(spend[None], scores[None])


@hookimpl
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Offer the convergence suite."""
    register(ConvergenceSuite)
