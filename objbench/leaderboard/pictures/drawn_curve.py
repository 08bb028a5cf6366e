"""A curve as it is drawn: its whole points, its mean over the runs that learnt, its stuck runs.

Shape legend: S pretraining seeds, P' whole points of the budget.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from objbench.judge.score_arrays import Curve
from objbench.judge.statistics.estimate import FloatArray
from objbench.leaderboard.run_learning import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class DrawnCurve:
    """A curve at its whole points, P' of them.

    Attributes:
        scores: (P', S) float64.
        spend: (P', S, 4) float64.
        counted: (S,) bool, the seeds of the mean; all where every run is stuck.
        stuck: how many are stuck.
    """

    curve: Curve
    scores: FloatArray
    spend: FloatArray
    counted: BoolArray
    stuck: int

    @classmethod
    def of(cls, curve: Curve, counted: BoolArray | None) -> DrawnCurve:
        """The whole points of a curve.

        Args:
            counted: (S,) bool, the seeds whose run is not stuck; all when None.
        """
        points = list(curve.whole)
        scores, spend = curve.scores[points], curve.spend[points]
        every = np.ones(scores.shape[1], dtype=np.bool_)
        counted = every if counted is None else counted
        stuck = int((~counted).sum())
        return cls(curve, scores, spend, counted if counted.any() else every, stuck)

    @property
    def is_stuck(self) -> bool:
        """Whether all runs are."""
        return self.stuck == self.counted.size

    @property
    def means(self) -> FloatArray:
        """(P',) float64."""
        return np.asarray(self.scores[:, self.counted].mean(axis=1))

    @property
    def end(self) -> float:
        """Where the name is written."""
        return float(self.means[-1])

    @property
    def has_end(self) -> bool:
        """Whether there is a mean at the end of the budget."""
        return len(self.curve.shares) - 1 in self.curve.whole and not self.is_stuck

    def mean_spend(self, axis: int) -> FloatArray:
        """(P',) float64, on the compute axis of that number."""
        return np.asarray(self.spend[:, self.counted, axis].mean(axis=1))

    def finished(self, is_finished: bool) -> BoolArray:
        """(P',) bool, which points are finished models: the last, and the others if they are."""
        last = len(self.curve.shares) - 1
        return np.array([is_finished or point == last for point in self.curve.whole])
