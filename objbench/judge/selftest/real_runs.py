"""The judge on real training runs: studies drawn from many seeds of one objective.

An objective compared with itself under other seeds has no gain and a speedup of one, whatever the
noise of real training. From N runs of it, two disjoint groups of S seeds are drawn repeatedly; one
group acts as the baseline, the other as the candidate. To plant a known effect the baseline is
handicapped: it is charged twice for every step, so that under the same budget it gets half of
them, and the candidate is exactly twice as fast.

Runs that are stuck are left out, as the judge leaves them out.

The studies drawn from one set of runs overlap: the rates are those of these N runs, and rough if N
is small. The bounds are for the simulation and do not apply here.

Shape legend: R studies, N runs, S seeds of a group, P points of the budget, K shared points.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from objbench.contract.meters import AXES
from objbench.errors import ConfigError
from objbench.judge import JUDGE_VERSION
from objbench.judge.learning import stuck_seeds
from objbench.judge.score_source import Pair, SideScores, check_source, curve_side, final_side
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.rate_rows import (
    Claims,
    Outcomes,
    gain_outcomes,
    rate_row,
    speedup_outcomes,
)
from objbench.judge.selftest.scenario import Kind
from objbench.judge.selftest.selftest import JUST_ABOVE_SPEEDUP, scenario_generator
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.ties import difference
from objbench.results.study_results import StudyResults

Groups = npt.NDArray[np.int64]

HANDICAP = 2.0
REPETITIONS = 1000

_STEPS = AXES.index("steps")


def real_selftest(
    results: StudyResults,
    source: str,
    repetitions: int = REPETITIONS,
    seed_counts: tuple[int, ...] = (3, 5, 10),
    seed: int = 0,
) -> Rates:
    """Measure the judge's error rates on runs of the study's one objective.

    Args:
        results: a study of one objective with at least six seeds.
        source: the score, one of ``score_sources``.
        repetitions: R, pairs of groups drawn for each row.
        seed_counts: group sizes; those that two disjoint groups of the runs allow are used.
        seed: of the draws.

    Raises:
        ConfigError: too few runs are complete, or their curves have too few points.
        UnknownNameError: ``source`` is no score of the study.
    """
    name = results.plan.baseline
    check_source(results, Pair(name, name), source)
    final, curves = _sides(results, name, source)
    runs = len(final)
    sizes = [size for size in seed_counts if MIN_RUNS <= size <= runs // 2]
    if not sizes:
        raise ConfigError(
            f"{results.plan.name} has {runs} complete runs of {name} that are not stuck: two groups of at least "
            f"{MIN_RUNS} seeds need 6 or more; add some with --seeds"
        )
    rows: list[RateRow] = []
    for size in sizes:
        generator = scenario_generator(seed, f"real {source}", size)
        groups = _groups(generator, runs, size, repetitions)
        rows.append(_same_gain(source, final, groups))
        if curves is not None:
            rows.append(_same_speed(source, curves, groups))
            rows.append(_half_speed(source, curves, groups))
    return Rates(
        judge_version=JUDGE_VERSION,
        repetitions=repetitions,
        seed=seed,
        drawn_from=f"{runs} pretraining seeds of {name} in {results.plan.name}",
        rows=tuple(rows),
    )


def _sides(
    results: StudyResults, name: str, source: str
) -> tuple[FloatArray, tuple[FloatArray, FloatArray] | None]:
    """(N,) final scores; and (N, P) scores along the budget with their (P,) steps, if there."""
    final = final_side(results, name, source)
    curve: SideScores | None = curve_side(results, name, source)
    is_stuck = np.isin(results.seeds, stuck_seeds(results, name))
    counted = np.logical_and(final.whole, ~is_stuck)
    if curve is None or curve.scores.shape[1] < 4:
        return final.scores[counted, 0], None
    whole = np.logical_and(counted, curve.whole)
    return final.scores[whole, 0], (curve.scores[whole], curve.spend[whole][0, :, _STEPS])


def _groups(generator: np.random.Generator, runs: int, size: int, count: int) -> Groups:
    """(R, 2, S) indices: two disjoint groups of runs for each study."""
    order = generator.permuted(np.tile(np.arange(runs), (count, 1)), axis=1)
    return order[:, : 2 * size].reshape(count, 2, size)


def _same_gain(source: str, final: FloatArray, groups: Groups) -> RateRow:
    differences = difference(final[groups[:, 1]], final[groups[:, 0]])
    spread = float(np.std(final, ddof=1))
    claims: Claims = (
        ("the truth", 0.0),
        ("just above", 0.1 * spread),
        ("well above", 2.0 * spread),
    )
    name = f"{source}: gain 0 (A/A)"
    outcomes = gain_outcomes(differences, 0.0, claims)
    return _row("gain", name, 0.0, groups, outcomes, claims)


def _same_speed(source: str, curves: tuple[FloatArray, FloatArray], groups: Groups) -> RateRow:
    scores, steps = curves
    gaps = difference(scores[groups[:, 1]], scores[groups[:, 0]][..., -1:], axis=1)
    claims: Claims = (("the truth", 1.0), ("just above", JUST_ABOVE_SPEEDUP), ("well above", 1.5))
    name = f"{source}: speedup 1 (A/A)"
    outcomes = speedup_outcomes(gaps, steps, float(steps[-1]), 1.0, claims)
    return _row("speedup", name, 1.0, groups, outcomes, claims)


def _half_speed(source: str, curves: tuple[FloatArray, FloatArray], groups: Groups) -> RateRow:
    scores, steps = curves
    # The last point that the handicapped baseline can pay for, and what it pays for it.
    last = int(np.flatnonzero(HANDICAP * steps <= steps[-1] * (1 + 1e-9))[-1])
    paid = HANDICAP * float(steps[last])
    gaps = difference(scores[groups[:, 1]], scores[groups[:, 0]][..., last : last + 1], axis=1)
    claims: Claims = (
        ("well below", HANDICAP / 1.5),
        ("the truth", HANDICAP),
        ("just above", HANDICAP * JUST_ABOVE_SPEEDUP),
        ("well above", HANDICAP * 1.5),
    )
    name = f"{source}: baseline at half speed"
    outcomes = speedup_outcomes(gaps, steps, paid, HANDICAP, claims)
    return _row("speedup", name, HANDICAP, groups, outcomes, claims)


def _row(
    kind: Kind, name: str, truth: float, groups: Groups, outcomes: Outcomes, claims: Claims
) -> RateRow:
    return rate_row(
        outcomes,
        claims,
        scenario=name,
        kind=kind,
        seeds=groups.shape[2],
        truth=truth,
        is_held=False,
    )
