"""The judge's own test: verdicts and intervals on simulated studies whose truth is known.

What is measured is the code that judges real studies (``target_crossing`` and ``paired_t``), on many
studies at once. A claim is false if it is above the truth, however little: just above is where
confirming it is easiest. A claim of exactly the truth is true, and where refuting is easiest. Two
equal objectives may be called different neither way, so that a confirmed "at least no effect"
counts as a false confirmation there. Where runs may be stuck, the truth is that of the runs that
learn, and the pairs in which both did are judged.

Shape legend: R repetitions, S pretraining seeds, K points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import binom

from objbench.judge import JUDGE_VERSION
from objbench.judge.selftest.differences import Differences
from objbench.judge.selftest.error_rates import RateRow, Rates
from objbench.judge.selftest.held_scenarios import HELD
from objbench.judge.selftest.learnt_shares import LearntShares
from objbench.judge.selftest.percentile import (
    percentile_of_crossings,
    percentile_of_means,
    resampling_weights,
)
from objbench.judge.selftest.rate_rows import (
    Claims,
    Outcomes,
    Places,
    among_learnt,
    first_settled,
    gain_outcomes,
    rate_row,
    share,
    speedup_outcomes,
)
from objbench.judge.selftest.reliability_row import reliability_row
from objbench.judge.selftest.scenario import Scenario
from objbench.judge.selftest.simulate import Draws, Simulated, draw, true_gain, true_speedup
from objbench.judge.selftest.stress_scenarios import STRESS_TESTS
from objbench.judge.statistics.estimate import MIN_RUNS, FloatArray
from objbench.judge.statistics.seed_curves import SAME_SPEND
from objbench.judge.statistics.target_crossing import BoolArray
from objbench.judge.statistics.ties import difference

REPETITIONS = 4000
SEED_COUNTS = (3, 5, 10, 20)

Judge = Callable[[float, BoolArray, Places], Outcomes]
"""(level, which studies, the places of their pairs) -> what the judge says of them."""

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
        repetitions: R, studies judged for each scenario and number of seeds.
        seed_counts: numbers of pretraining seeds, each at least 3; a scenario with looks has its own.
        seed: of the random numbers; the same seed gives the same rates.
        scenarios: what is drawn.
    """
    rows = [
        _measure(scenario, repetitions, seeds, seed)
        for scenario in scenarios
        for seeds in scenario.looks[-1:] or seed_counts
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
    study = scenario.study
    if isinstance(study, Differences):
        differences = study.draw((repetitions, seeds), generator)
        everyone = np.ones(differences.shape, dtype=bool)
        return _gain_row(scenario, study.gain, differences, everyone, 1.0, generator)
    if isinstance(study, LearntShares):
        return reliability_row(scenario, study, repetitions, seeds, generator)
    drawn, judged = judged_draws(scenario, study, repetitions, seeds, generator)
    if scenario.kind == "speedup":
        return _speedup_row(scenario, study, drawn, judged, generator)
    differences = difference(drawn.candidate[..., -1], drawn.baseline[..., -1])
    return _gain_row(scenario, true_gain(study), differences, drawn.learnt, judged, generator)


def judged_draws(
    scenario: Scenario,
    study: Simulated,
    repetitions: int,
    seeds: int,
    generator: np.random.Generator,
) -> tuple[Draws, float]:
    """(``repetitions`` studies in which enough pairs learnt, the share of these among all drawn)."""
    noise = study.noise
    both = (1.0 - noise.stuck) * (1.0 - noise.baseline_stuck)
    chance = 1.0 if scenario.is_contrast else float(binom.sf(MIN_RUNS - 1, seeds, both))
    parts: list[Draws] = []
    number = found = 0
    while found < repetitions:
        batch = math.ceil((repetitions - found) / chance)
        drawn = draw(study, batch, seeds, generator)
        # A judge that knows nothing of learning counts every pair.
        learnt = np.ones_like(drawn.learnt) if scenario.is_contrast else drawn.learnt
        enough = learnt.sum(axis=1) >= MIN_RUNS
        parts.append(Draws(drawn.baseline[enough], drawn.candidate[enough], learnt[enough]))
        number, found = number + batch, found + int(enough.sum())
    whole = Draws(
        *(
            np.concatenate([getattr(part, name) for part in parts])[:repetitions]
            for name in ("baseline", "candidate", "learnt")
        )
    )
    return whole, found / number


def _gain_row(
    scenario: Scenario,
    gain: float,
    differences: FloatArray,
    learnt: BoolArray,
    judged: float,
    generator: np.random.Generator,
) -> RateRow:
    truth = round(gain, _TRUTH_DIGITS)
    claims = _claims(scenario, truth, truth + JUST_ABOVE_GAIN)

    def judge(level: float, which: BoolArray, pairs: Places) -> Outcomes:
        chosen = np.take_along_axis(differences[which], pairs, axis=1)
        return gain_outcomes(chosen, truth, claims, level)

    percentile = None
    if scenario.is_bootstrapped:
        weights = resampling_weights(differences.shape[1], generator)
        low, high = percentile_of_means(differences, weights)
        percentile = share((low <= truth) & (truth <= high))
    outcomes = _outcomes(scenario, learnt, claims, judge)
    return rate_row(outcomes, claims, **_fields(scenario, truth, learnt, judged, percentile))


def _speedup_row(
    scenario: Scenario,
    study: Simulated,
    drawn: Draws,
    judged: float,
    generator: np.random.Generator,
) -> RateRow:
    truth = round(true_speedup(study), _TRUTH_DIGITS)
    claims = _claims(scenario, truth, truth * JUST_ABOVE_SPEEDUP)
    spend, target_spend = study.candidate_spend, study.target_spend
    slack = max(SAME_SPEND, study.step)
    gaps = difference(drawn.candidate, drawn.baseline[..., study.target_point, None], axis=1)

    def judge(level: float, which: BoolArray, pairs: Places) -> Outcomes:
        chosen = np.take_along_axis(gaps[which], pairs[..., None], axis=1)
        return speedup_outcomes(chosen, spend, target_spend, truth, claims, level, slack)

    percentile = None
    if scenario.is_bootstrapped:
        weights = resampling_weights(gaps.shape[1], generator)
        early, late = percentile_of_crossings(gaps, spend, weights)
        true_spend = target_spend / truth
        percentile = share((early <= true_spend) & (true_spend <= late))
    outcomes = _outcomes(scenario, drawn.learnt, claims, judge)
    fields = _fields(scenario, truth, drawn.learnt, judged, percentile)
    is_measured = bool(target_spend / truth <= spend[-1] * (1.0 + slack))
    return rate_row(outcomes, claims, **fields, is_measured=is_measured)


def _outcomes(scenario: Scenario, learnt: BoolArray, claims: Claims, judge: Judge) -> Outcomes:
    """What a user reports who looks as the scenario says: once, or until a claim is settled."""

    def at(look: int, which: BoolArray, pairs: Places) -> Outcomes:
        return judge(scenario.level(look, pairs.shape[1]), which, pairs)

    looks = scenario.looks or (learnt.shape[1],)
    return first_settled(
        among_learnt(learnt[:, :seeds], len(claims), partial(at, look))
        for look, seeds in enumerate(looks)
    )


def _fields(
    scenario: Scenario, truth: float, learnt: BoolArray, judged: float, percentile: float | None
) -> dict[str, Any]:
    """The fields of a row that are not counted."""
    return {
        "scenario": scenario.name,
        "kind": scenario.kind,
        "seeds": learnt.shape[1],
        "truth": truth,
        "is_held": scenario.is_held,
        "topic": scenario.topic,
        "is_contrast": scenario.is_contrast,
        "judged": judged,
        "percentile_coverage": percentile,
    }


def _claims(scenario: Scenario, truth: float, just_above: float) -> Claims:
    near: Claims = (
        ("the truth", truth),
        ("just above", round(just_above, _TRUTH_DIGITS)),
        ("well above", scenario.above),
    )
    return near if scenario.below is None else (("well below", scenario.below), *near)
