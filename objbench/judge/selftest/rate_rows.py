"""One row of a self-test: what the judge says of many studies whose truth is known.

What is measured is the code that judges real studies (``target_crossing`` and ``paired_t``), on all studies
of a row at once.

Shape legend: R studies, S pretraining seeds, K points.
"""

from __future__ import annotations

import numpy as np

from objbench.judge.selftest.error_rates import ClaimRates, Place, RateRow
from objbench.judge.statistics.estimate import FloatArray, t_interval
from objbench.judge.statistics.target_crossing import BEFORE, BoolArray, crossing

Claims = tuple[tuple[Place, float], ...]
"""Claims by rising value: where each lies, seen from the truth, and its value."""


def gain_row(
    name: str,
    differences: FloatArray,
    truth: float,
    claims: Claims,
    *,
    is_held: bool,
    percentile: float | None = None,
) -> RateRow:
    """The judge's rates on gains.

    Args:
        name: of the row.
        differences: (R, S) float64, candidate less baseline.
        truth: the mean that the differences were drawn around.
        claims: what is claimed of every study.
        is_held: whether the bounds apply.
        percentile: the coverage of the percentile bootstrap, where it was measured.
    """
    mean, half = t_interval(differences)
    return RateRow(
        scenario=name,
        kind="gain",
        seeds=differences.shape[1],
        truth=truth,
        is_held=is_held,
        coverage=share(np.abs(mean - truth) <= half),
        open_ended=0.0,
        percentile_coverage=percentile,
        claims=tuple(
            ClaimRates(
                place=place,
                claimed=claimed,
                confirmed=share(mean - half >= claimed),
                refuted=share(mean + half < claimed),
            )
            for place, claimed in claims
        ),
    )


def speedup_row(
    name: str,
    gaps: FloatArray,
    spend: FloatArray,
    target_spend: float,
    truth: float,
    claims: Claims,
    *,
    is_held: bool,
    percentile: float | None = None,
) -> RateRow:
    """The judge's rates on speedups.

    Args:
        name: of the row.
        gaps: (R, S, K) float64, the candidate's score less the target, seed by seed.
        spend: (K,) float64, the candidate's, rising.
        target_spend: what the baseline spent on the target.
        truth: the speedup that the curves were drawn with.
        claims, is_held, percentile: as for ``gain_row``.
    """
    found = crossing(gaps, spend)
    return RateRow(
        scenario=name,
        kind="speedup",
        seeds=gaps.shape[1],
        truth=truth,
        is_held=is_held,
        coverage=share(found.holds(target_spend / truth)),
        open_ended=share((found.early == BEFORE) | np.isposinf(found.late)),
        percentile_coverage=percentile,
        claims=tuple(
            ClaimRates(
                place=place,
                claimed=claimed,
                confirmed=share(found.reached_by(target_spend / claimed)),
                refuted=share(found.missed_at(target_spend / claimed)),
            )
            for place, claimed in claims
        ),
    )


def share(found: BoolArray) -> float:
    """The share of studies in which something was found."""
    return float(np.mean(found))
