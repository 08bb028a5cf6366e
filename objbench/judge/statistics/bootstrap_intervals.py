"""From bootstrap draws to an interval, and what few seeds do to it.

Three intervals of one set of draws, from Hesterberg (2015), "What Teachers Should Know About the
Bootstrap", The American Statistician 69(4), arXiv:1411.5279, and his R package ``resample``:

- percentile: the alpha/2 and 1 - alpha/2 quantiles of the draws. Too narrow with few seeds, since
  for a mean it is about mean -+ z * s * sqrt((S - 1) / S) / sqrt(S) (``CI.percentile``).
- expanded percentile: the alpha'/2 and 1 - alpha'/2 quantiles, with alpha' such that the same
  approximation gives the t-interval (``ExpandProbs``):
  alpha'/2 = Phi(-sqrt(S / (S - 1)) * t(S - 1, 1 - alpha/2)).
- t with the bootstrap's standard error: value -+ t(S - 1, 1 - alpha/2) * sqrt(S / (S - 1)) * the
  deviation of the draws (``CI.t``). For a mean with ``within=False`` it is the t-interval.

Run means drawn as they are (F = 1, or ``within=False``) have no location outside their range, so
a percentile interval, however expanded, covers the centre of a symmetric law at most
1 - 2 * 0.5**S of the time: 75% at S = 3, 93.75% at S = 5. Only the third gets round that: take it
below 10 seeds, with ``within=False``; from 10 on the expanded one keeps the skew of the draws.
Neither helps where the draws do not vary at all, as when a candidate wins at every seed: see
``aggregates.improvement_interval``.

Coverage in percent, of 95 wanted, over 4,000 simulated sets of normal run means and 3,000 draws
(+-0.4; tests/objbench/judge/test_judge_coverage.py repeats it with 1,000):

    S     mean: percentile  expanded   t     interquartile mean: percentile  expanded   t
    3             77           77      95                            77         77      97
    5             84           92      95                            91         94      98
    10            90           94      95                            93         97      96

With F = 3 and three times as much variance between fine-tuning seeds as between pretraining
seeds, the t of the mean covers 96, 95 and 94 with ``within=False``, and 99.8, 99 and 98 with
``within=True``.

Shape legend: S pretraining seeds, n draws.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, stdtrit

from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray


def percentile_interval(draws: FloatArray, level: float = 0.95) -> FloatArray:
    """The plain percentile interval; covers less than ``level`` with few seeds.

    Args:
        draws: (n, ...) float64, as ``bootstrap`` returns them.
        level: wanted coverage, in (0, 1).

    Returns:
        (2, ...) float64: low and high, in the unit of the draws.

    Raises:
        ValueError: there is no draw, or one is missing.
    """
    return _quantiles(draws, (1.0 - level) / 2.0)


def expanded_share(runs: int, level: float = 0.95) -> float:
    """alpha'/2 = Phi(-sqrt(S / (S - 1)) * t(S - 1, (1 + level) / 2)), Hesterberg (2015).

    Args:
        runs: S, at least 2.
        level: wanted coverage, in (0, 1).

    Raises:
        ValueError: there are fewer than two runs.
    """
    if runs < 2:
        raise ValueError(f"no expanded quantile for {runs} runs")
    return float(ndtr(-math.sqrt(runs / (runs - 1)) * _student(runs, level)))


def expanded_interval(draws: FloatArray, runs: int, level: float = 0.95) -> FloatArray | None:
    """The expanded percentile interval: as if the draws had Student's quantiles.

    The quantiles lie far out, 0.1% at S = 5, and want about 10,000 draws.

    Args:
        draws: (n, ...) float64, as ``bootstrap`` returns them.
        runs: S, the pretraining seeds that were drawn from.
        level: wanted coverage, in (0, 1).

    Returns:
        (2, ...) float64: low and high; None for fewer than ``MIN_RUNS`` runs.

    Raises:
        ValueError: there is no draw, or one is missing.
    """
    if runs < MIN_RUNS:
        return None
    return _quantiles(draws, expanded_share(runs, level))


def standard_error_interval(
    value: FloatArray | float, draws: FloatArray, runs: int, level: float = 0.95
) -> FloatArray | None:
    """The t-interval with the bootstrap's standard error, corrected for few seeds.

    Draws with ``within=True`` make it wider than it need be: see ``bootstrap``.

    Args:
        value: (...) float64, the statistic of the scores as they are.
        draws: (n, ...) float64, as ``bootstrap`` returns them.
        runs: S, the pretraining seeds that were drawn from.
        level: wanted coverage, in (0, 1).

    Returns:
        (2, ...) float64: low and high; None for fewer than ``MIN_RUNS`` runs.

    Raises:
        ValueError: there is no draw, or one is missing.
    """
    if runs < MIN_RUNS:
        return None
    _check(draws)
    # n, not n - 1: the draws stand for the whole bootstrap distribution.
    half = _student(runs, level) * math.sqrt(runs / (runs - 1)) * np.std(draws, axis=0)
    return np.stack([value - half, value + half])


def _student(runs: int, level: float) -> float:
    return float(stdtrit(runs - 1, (1.0 + level) / 2.0))


def _quantiles(draws: FloatArray, share: float) -> FloatArray:
    _check(draws)
    found: FloatArray = np.quantile(draws, [share, 1.0 - share], axis=0)
    return found


def _check(draws: FloatArray) -> None:
    if draws.size == 0 or not np.all(np.isfinite(draws)):
        raise ValueError("an interval needs at least one draw and finite values")
