"""Studies in which runs learn more or less often, for the claim that more of the candidate's do.

Shape legend: R studies, S pretraining seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.statistics.target_crossing import BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntShares:
    """Runs of which each learns or does not, independently of all others.

    Attributes:
        candidate, baseline: share of the runs that learn.
    """

    candidate: float
    baseline: float

    @property
    def points(self) -> float:
        """By how many points of a hundred more of the candidate's runs learn: the truth."""
        return round(100.0 * (self.candidate - self.baseline), 6)


def draw_learnt(
    study: LearntShares, repetitions: int, seeds: int, generator: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """(R, S) bool each: whether the candidate's and the baseline's run learnt."""
    drawn = generator.random((2, repetitions, seeds))
    candidate: BoolArray = drawn[0] < study.candidate
    baseline: BoolArray = drawn[1] < study.baseline
    return candidate, baseline
