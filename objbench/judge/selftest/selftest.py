"""The judge's own test: verdicts and intervals on simulated studies whose truth is known.

What is measured is the code that judges real studies (``target_crossing`` and ``paired_t``), on many
studies at once. A claim is false if it is above the truth, however little: just above is where
confirming it is easiest. A claim of exactly the truth is true, and where refuting is easiest. Two
equal objectives may be called different neither way, so that a confirmed "at least no effect"
counts as a false confirmation there.

Shape legend: R repetitions, S pretraining seeds, K points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from objbench.judge import JUDGE_VERSION
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.percentile import (
    percentile_of_crossings,
    percentile_of_means,
    resampling_weights,
)
from objbench.judge.selftest.rate_rows import Claims, gain_row, share, speedup_row
from objbench.judge.selftest.scenarios import HELD, STRESS_TESTS, Scenario
from objbench.judge.selftest.simulate import Draws, draw, true_gain, true_speedup
from objbench.judge.statistics.ties import difference

# Coverage is 97% where 3 seeds leave ends open; 1,000 repetitions can put that beyond 98% by chance.
REPETITIONS = 4000
SEED_COUNTS = (3, 5, 10)

# A false claim that is as close to the truth as anybody would argue about.
JUST_ABOVE_GAIN = 0.05
JUST_ABOVE_SPEEDUP = 1.02
# Digits of a truth: beyond the error of the search for it.
_TRUTH_DIGITS = 6


def selftest(
    repetitions: int = REPETITIONS,
    seed_counts: Sequence[int] = SEED_COUNTS,
    seed: int = 0,
    scenarios: Iterable[Scenario] = (*HELD, *STRESS_TESTS),
) -> Rates:
    """Measure the judge's error rates.

    Args:
        repetitions: R, studies drawn for each scenario and number of seeds.
        seed_counts: numbers of pretraining seeds, each at least 3.
        seed: of the random numbers; the same seed gives the same rates.
        scenarios: what is drawn.
    """
    rows = [
        _measure(scenario, repetitions, seeds, seed)
        for scenario in scenarios
        for seeds in seed_counts
    ]
    return Rates(judge_version=JUDGE_VERSION, repetitions=repetitions, seed=seed, rows=tuple(rows))


def scenario_generator(seed: int, scenario: str, seeds: int) -> np.random.Generator:
    """The random numbers of one row: a named stream, so that no row moves another's.

    In numpy alone: ``contract.random_streams`` also makes torch's generators.
    """
    key = np.random.SeedSequence([seed, seeds, *scenario.encode()])
    return np.random.Generator(np.random.Philox(key))


def _measure(scenario: Scenario, repetitions: int, seeds: int, seed: int) -> RateRow:
    generator = scenario_generator(seed, scenario.name, seeds)
    drawn = draw(scenario.study, repetitions, seeds, generator)
    measure = _gain_row if scenario.kind == "gain" else _speedup_row
    return measure(scenario, drawn, generator)


def _gain_row(scenario: Scenario, drawn: Draws, generator: np.random.Generator) -> RateRow:
    truth = round(true_gain(scenario.study), _TRUTH_DIGITS)
    differences = difference(drawn.candidate[..., -1], drawn.baseline[..., -1])
    percentile = None
    if scenario.is_bootstrapped:
        weights = resampling_weights(differences.shape[1], generator)
        low, high = percentile_of_means(differences, weights)
        percentile = share((low <= truth) & (truth <= high))
    return gain_row(
        differences,
        _claims(scenario, truth, truth + JUST_ABOVE_GAIN),
        scenario=scenario.name,
        truth=truth,
        is_held=not scenario.stress,
        percentile_coverage=percentile,
    )


def _speedup_row(scenario: Scenario, drawn: Draws, generator: np.random.Generator) -> RateRow:
    study = scenario.study
    truth = round(true_speedup(study), _TRUTH_DIGITS)
    gaps = difference(drawn.candidate, drawn.baseline[..., study.target_point, None], axis=1)
    percentile = None
    if scenario.is_bootstrapped:
        weights = resampling_weights(gaps.shape[1], generator)
        early, late = percentile_of_crossings(gaps, study.spend, weights)
        true_spend = study.target_spend / truth
        percentile = share((early <= true_spend) & (true_spend <= late))
    return speedup_row(
        gaps,
        study.spend,
        study.target_spend,
        _claims(scenario, truth, truth * JUST_ABOVE_SPEEDUP),
        scenario=scenario.name,
        truth=truth,
        is_held=not scenario.stress,
        percentile_coverage=percentile,
    )


def _claims(scenario: Scenario, truth: float, just_above: float) -> Claims:
    near: Claims = (
        ("the truth", truth),
        ("just above", round(just_above, _TRUTH_DIGITS)),
        ("well above", scenario.above),
    )
    return near if scenario.below is None else (("well below", scenario.below), *near)
