"""One row of a self-test: the judge's verdicts on many studies whose truth is known.

What is measured is the code that judges real studies (``crossing`` and ``t_interval``), on all
studies of a row at once.

Shape legend: R studies, S pretraining seeds, K points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from objbench.judge.selftest.error_rates import ClaimRates, Place, RateRow
from objbench.judge.statistics.estimate import FloatArray, t_interval
from objbench.judge.statistics.target_crossing import BEFORE, BoolArray, crossing

Claims = tuple[tuple[Place, float], ...]
"""Claims by rising value: where each is relative to the truth, and its value."""

Decide = Callable[[float], BoolArray]


def gain_row(differences: FloatArray, claims: Claims, **fields: Any) -> RateRow:
    """The judge's rates on gains.

    Args:
        differences: (R, S) float64, candidate minus baseline.
        claims: what is claimed of every study.
        fields: of the ``RateRow``: scenario, truth, is_held, percentile_coverage.
    """
    mean, half = t_interval(differences)
    return RateRow(
        kind="gain",
        seeds=differences.shape[1],
        coverage=share(np.abs(mean - fields["truth"]) <= half),
        open_ended=0.0,
        claims=_rates(claims, lambda at: mean - half >= at, lambda at: mean + half < at),
        **fields,
    )


def speedup_row(
    gaps: FloatArray, spend: FloatArray, target_spend: float, claims: Claims, **fields: Any
) -> RateRow:
    """The judge's rates on speedups.

    Args:
        gaps: (R, S, K) float64, the candidate's score minus the target, seed by seed.
        spend: (K,) float64, the candidate's, rising.
        target_spend: what the baseline spent on the target.
        claims, fields: as for ``gain_row``.
    """
    found = crossing(gaps, spend)
    return RateRow(
        kind="speedup",
        seeds=gaps.shape[1],
        coverage=share(found.covers(target_spend / fields["truth"])),
        open_ended=share((found.early == BEFORE) | np.isposinf(found.late)),
        claims=_rates(
            claims,
            lambda at: found.reached_by(target_spend / at),
            lambda at: found.missed_at(target_spend / at),
        ),
        **fields,
    )


def share(found: BoolArray) -> float:
    """The share of studies in which something was found."""
    return float(np.mean(found))


def _rates(claims: Claims, confirms: Decide, refutes: Decide) -> tuple[ClaimRates, ...]:
    return tuple(
        ClaimRates(
            place=place,
            claimed=claimed,
            confirmed=share(confirms(claimed)),
            refuted=share(refutes(claimed)),
        )
        for place, claimed in claims
    )
