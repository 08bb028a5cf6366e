"""Which objectives a page shows at once where there are many: the baseline and the best.

Up to ``MOST_DRAWN`` are drawn and up to ``MOST_ROWS`` have a row above the fold. Beyond that the
baseline and the best by the score in question are shown, and all are in a table that is folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from objbench.judge.score_arrays import Curve
from objbench.leaderboard.run_learning import BoolArray

MOST_DRAWN = 10
MOST_ROWS = 20


def drawn(
    curves: Mapping[str, Curve], sign: float, baseline: str, counted: Mapping[str, BoolArray]
) -> tuple[str, ...]:
    """The objectives that a picture of curves shows, in their order: those of the best final means.

    Args:
        curves: objective -> its curve; without a whole point it is not drawn.
        sign: -1 where lower is better.
        counted: objective -> (S,) bool, the seeds whose run is not stuck; where all are, it comes
            last.
    """
    there = [name for name, own in curves.items() if own.whole]
    if len(there) <= MOST_DRAWN:
        return tuple(there)
    finals = {
        name: sign * float(curves[name].scores[-1, counted[name]].mean())
        if counted[name].any()
        else -np.inf
        for name in there
        if name != baseline and len(curves[name].shares) - 1 in curves[name].whole
    }
    # Sorting is stable: equals keep the order of the plan.
    best = sorted(finals, key=lambda name: -finals[name])[: MOST_DRAWN - 1]
    return tuple(name for name in there if name == baseline or name in best)


def above_fold(ranked: Sequence[str], baseline: str) -> tuple[str, ...]:
    """The objectives that have a row above the fold, in the order of ``ranked``, best first."""
    if len(ranked) <= MOST_ROWS:
        return tuple(ranked)
    best = [name for name in ranked if name != baseline][: MOST_DRAWN - 1]
    return tuple(name for name in ranked if name == baseline or name in best)
