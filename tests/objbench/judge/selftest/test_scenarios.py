"""The simulated studies are what they claim, and the rows count what one study at a time gives."""

import dataclasses
from math import comb

import numpy as np
import pytest

from objbench.judge.selftest.differences import SEED_SD, skewed, tuned_apart
from objbench.judge.selftest.held_scenarios import HELD, STEP
from objbench.judge.selftest.learnt_shares import LearntShares, draw_learnt
from objbench.judge.selftest.scenario import Scenario
from objbench.judge.selftest.selftest import judged_draws, scenario_generator, selftest
from objbench.judge.selftest.simulate import FLOOR, Noise, Simulated, draw
from objbench.judge.selftest.stress_scenarios import STRESS_TESTS
from objbench.judge.statistics.looks import any_look_level, planned_levels
from objbench.judge.statistics.seed_curves import SeedCurves
from objbench.judge.verdict import judge_gain, judge_speedup

REPETITIONS = 150


def named(name):
    return next(scenario for scenario in (*HELD, *STRESS_TESTS) if scenario.name == name)


def drawn_for(scenario, seeds, repetitions=REPETITIONS):
    """The studies that a row of the self-test draws, by the same random numbers."""
    generator = scenario_generator(0, scenario.name, seeds)
    return judged_draws(scenario, scenario.study, repetitions, seeds, generator)


def assert_same_verdicts(row, verdicts):
    """Whether the row's shares are those of ``verdicts``: claim -> the verdict on each study."""
    for claim in row.claims:
        found = verdicts[claim.claimed]
        assert np.mean([v == "confirmed" for v in found]) == pytest.approx(claim.confirmed)
        assert np.mean([v == "refuted" for v in found]) == pytest.approx(claim.refuted)


def test_every_scenario_has_a_name_of_its_own_and_the_new_rules_have_theirs():
    names = [scenario.name for scenario in (*HELD, *STRESS_TESTS)]
    assert len(set(names)) == len(names)
    for topic in ("learning", "looks"):
        rows = [s for s in (*HELD, *STRESS_TESTS) if s.topic == topic]
        assert any(s.is_held for s in rows) and any(s.is_contrast for s in rows)
    assert not any(s.is_held for s in (*HELD, *STRESS_TESTS) if s.topic == "tuning")


def test_stuck_runs_are_marked_and_as_many_as_declared():
    study = Simulated(points=2, noise=Noise(baseline_stuck=0.3, stuck=0.1))
    drawn = draw(study, 4000, 3, np.random.default_rng(5))
    stuck = np.zeros((2, 4000, 3), dtype=bool)
    for side, scores in enumerate((drawn.baseline, drawn.candidate)):
        for index in np.ndindex(4000, 3):
            # A run that learnt is 12 points above the floor, and seeds differ by 0.7.
            stuck[side][index] = scores[index][-1] < FLOOR + 6
            if stuck[side][index]:
                assert abs(scores[index][-1] - FLOOR) < 5
    assert stuck[0].mean() == pytest.approx(0.3, abs=0.02)
    assert stuck[1].mean() == pytest.approx(0.1, abs=0.015)
    for index in np.ndindex(4000, 3):
        assert drawn.learnt[index] == (not stuck[0][index] and not stuck[1][index])


@pytest.mark.parametrize(
    ("name", "seeds", "chance"),
    [
        # At least 3 of n pairs, by hand: 0.9^3; 1 - P(0, 1 or 2 of 5 at 0.2); 0.49^3.
        ("10% of baselines stuck (A/A)", 3, 0.729),
        ("80% of baselines stuck (A/A)", 5, 0.05792),
        ("30% of both stuck (A/A)", 3, 0.117649),
    ],
)
def test_as_many_studies_are_judged_as_have_three_pairs_that_learnt(name, seeds, chance):
    drawn, judged = drawn_for(named(name), seeds, 2000)
    assert drawn.learnt.shape == (2000, seeds)
    assert drawn.learnt.sum(axis=1).min() >= 3
    assert judged == pytest.approx(chance, rel=0.1)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_only_pairs_that_learnt_are_judged(seeds):
    scenario = named("30% of both stuck (A/A)")
    (row,) = selftest(REPETITIONS, (seeds,), scenarios=[scenario]).rows
    drawn, judged = drawn_for(scenario, seeds)
    assert row.judged == judged
    verdicts = {claim.claimed: [] for claim in row.claims}
    covered = 0
    for baseline, candidate, learnt in zip(
        drawn.baseline[..., -1], drawn.candidate[..., -1], drawn.learnt, strict=True
    ):
        pairs = [c - b for b, c, both in zip(baseline, candidate, learnt, strict=True) if both]
        for claimed, found in verdicts.items():
            finding = judge_gain(np.array(pairs), claimed)
            found.append(finding.verdict)
        covered += finding.low.value <= 0 <= finding.high.value
    assert_same_verdicts(row, verdicts)
    assert row.coverage == pytest.approx(covered / REPETITIONS)


def test_a_speedup_is_judged_on_pairs_that_learnt():
    scenario = named("30% of baselines stuck, speedup 2")
    (row,) = selftest(60, (5,), scenarios=[scenario]).rows
    drawn, _ = drawn_for(scenario, 5, 60)
    verdicts = {claim.claimed: [] for claim in row.claims}
    for baseline, candidate, learnt in zip(
        drawn.baseline, drawn.candidate, drawn.learnt, strict=True
    ):
        spend = np.tile(scenario.study.spend, (learnt.sum(), 1))
        pair = SeedCurves(spend, baseline[learnt]), SeedCurves(spend, candidate[learnt])
        for claimed, found in verdicts.items():
            found.append(judge_speedup(*pair, claimed).verdict)
    assert_same_verdicts(row, verdicts)


def test_stuck_runs_that_are_counted_make_equal_objectives_differ():
    (row,) = selftest(400, (5,), scenarios=[named("80% of baselines stuck (A/A), counted")]).rows
    # Near three quarters; of the pairs that learnt, 2.5% (test_bounds, and the committed rates).
    assert row.judged == 1.0
    assert 0.66 < row.called_better < 0.82


def added_level(look, pairs):
    """The first look is at 95%, and every later one holds whenever one looks."""
    return 0.95 if look == 0 else any_look_level(pairs)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (
            "gain 0, looks at 5, 10 and 20, declared",
            lambda look, pairs: planned_levels((5, 10, 20))[look],
        ),
        ("gain 0, a look after every seed from 5 to 20, none declared", added_level),
        (
            "gain 0, a look after every seed from 5 to 20, none declared, 30% of baselines stuck",
            added_level,
        ),
        (
            "gain 0, a look after every seed from 3 to 20, uncorrected",
            lambda look, pairs: 0.95,
        ),
    ],
)
def test_a_user_who_looks_again_reports_the_first_verdict(name, level):
    scenario = named(name)
    (row,) = selftest(30, (3,), scenarios=[scenario]).rows
    assert row.seeds == 20
    drawn, _ = drawn_for(scenario, 20, 30)
    differences = (drawn.candidate - drawn.baseline)[..., -1]
    verdicts = {claim.claimed: [] for claim in row.claims}
    covered = 0
    for gains, learnt in zip(differences, drawn.learnt, strict=True):
        said = dict.fromkeys(verdicts, "inconclusive")
        covers = True
        for look, seeds in enumerate(scenario.looks):
            pairs = gains[:seeds][learnt[:seeds]]
            if pairs.size < 3:
                continue
            for claimed in verdicts:
                finding = judge_gain(pairs, claimed, level(look, pairs.size))
                if said[claimed] == "inconclusive":
                    said[claimed] = finding.verdict
            covers &= finding.low.value <= 0 <= finding.high.value
        for claimed, found in verdicts.items():
            found.append(said[claimed])
        covered += covers
    assert_same_verdicts(row, verdicts)
    assert row.coverage == pytest.approx(covered / 30)


def test_without_looks_there_is_one_at_95_percent():
    assert named("gain 1.2").level(0, 5) == 0.95


def test_a_look_does_more_harm_than_none_where_it_is_not_paid_for():
    names = ("declared", "none declared", "uncorrected")
    scenarios = [s for s in (*HELD, *STRESS_TESTS) if s.name.startswith("gain 0, ")]
    rates = selftest(1000, (3,), scenarios=scenarios)
    worst = {
        name: max(row.false_confirm for row in rates.rows if row.scenario.endswith(f", {name}"))
        for name in names
    }
    assert worst["declared"] < 0.04 and worst["none declared"] < 0.05
    assert worst["uncorrected"] > 0.09


@pytest.mark.parametrize("speedup", [1.0, 0.7])
def test_a_candidate_a_step_short_ends_within_a_step_of_the_budget(speedup):
    words = " (A/A)" if speedup == 1 else ""
    scenario = named(f"speedup {speedup:g}{words}, the candidate a step short")
    study = scenario.study
    last = study.candidate_spend[-1]
    assert last < 1 < last * (1 + STEP)
    (row,) = selftest(60, (5,), scenarios=[scenario]).rows
    drawn, _ = drawn_for(scenario, 5, 60)
    verdicts = {claim.claimed: [] for claim in row.claims}
    for baseline, candidate in zip(drawn.baseline, drawn.candidate, strict=True):
        pair = (
            SeedCurves(np.tile(study.spend, (5, 1)), baseline),
            SeedCurves(np.tile(study.candidate_spend, (5, 1)), candidate, STEP),
        )
        for claimed, found in verdicts.items():
            found.append(judge_speedup(*pair, claimed).verdict)
    assert_same_verdicts(row, verdicts)


def test_slower_is_said_of_a_candidate_a_step_short_and_only_by_that_step():
    scenario = named("speedup 0.7, the candidate a step short")
    without = dataclasses.replace(scenario.study, step=0.0)
    ends_late = dataclasses.replace(scenario.study, short=2.5)
    rows = [
        selftest(100, (10,), scenarios=[dataclasses.replace(scenario, study=study)]).rows[0]
        for study in (scenario.study, without, ends_late)
    ]
    assert [row.claim("well above").refuted > 0.8 for row in rows] == [True, True, False]
    assert rows[2].claim("well above").refuted == 0.0
    assert [row.is_measured for row in rows] == [False] * 3


@pytest.mark.parametrize(("candidate", "baseline"), [(0.9, 0.2), (0.5, 0.5)])
def test_more_runs_that_learn_are_found_as_often_as_the_exact_test_can(candidate, baseline):
    name = f"{100 * candidate:.0f}% of candidates and {100 * baseline:.0f}% of baselines learn"
    (row,) = selftest(4000, (10,), scenarios=[named(name)]).rows
    only_candidate, only_baseline = candidate * (1 - baseline), baseline * (1 - candidate)
    neither = 1 - only_candidate - only_baseline
    more = less = 0.0
    for a in range(11):
        for b in range(11 - a):
            # Two-sided: twice the chance of as few heads of a + b coins, at most 1.
            coins, few = a + b, min(a, b)
            p_value = 2 * sum(comb(coins, heads) for heads in range(few + 1)) / 2**coins
            chance = comb(10, a) * comb(10 - a, b)
            chance *= only_candidate**a * only_baseline**b * neither ** (10 - coins)
            more += chance * (p_value < 0.05 and a > b)
            less += chance * (p_value < 0.05 and a < b)
    (claim,) = row.claims
    assert claim.confirmed == pytest.approx(more, abs=0.02)
    assert claim.refuted == pytest.approx(less, abs=0.005)
    assert row.coverage is None
    assert row.false_refute == claim.refuted
    assert row.false_confirm == (claim.confirmed if candidate == baseline else 0.0)


def test_runs_learn_as_often_as_declared():
    candidate, baseline = draw_learnt(
        LearntShares(candidate=0.9, baseline=0.2), 4000, 5, np.random.default_rng(4)
    )
    found = [sum(map(sum, side.tolist())) / 20_000 for side in (candidate, baseline)]
    assert found == pytest.approx([0.9, 0.2], abs=0.01)


@pytest.mark.parametrize("skewness", [0.5, 1.0, 2.0, -2.0])
def test_skewed_differences_have_the_moments_that_they_claim(skewness):
    study = skewed(skewness)
    drawn = study.draw((200_000, 3), np.random.default_rng(2)).ravel()
    mean = sum(drawn.tolist()) / drawn.size
    second = sum((value - mean) ** 2 for value in drawn.tolist()) / drawn.size
    third = sum((value - mean) ** 3 for value in drawn.tolist()) / drawn.size
    assert mean == pytest.approx(study.gain, abs=0.005)
    assert second**0.5 == pytest.approx(SEED_SD, rel=0.01)
    assert third / second**1.5 == pytest.approx(skewness, abs=0.06)
    if abs(skewness) == 2:
        # Exponential: nothing beyond one standard deviation on the short side.
        assert min(drawn * np.sign(skewness)) >= -SEED_SD


def test_each_objective_gets_the_setting_that_was_best_in_its_own_trials():
    settings, tuning_seeds, studies, seeds = 6, 3, 40, 4
    found = tuned_apart(settings, tuning_seeds).draw((studies, seeds), np.random.default_rng(3))
    generator = np.random.default_rng(3)
    worth = SEED_SD * generator.standard_normal((studies, settings))
    luck = generator.standard_normal((2, studies, settings)) * SEED_SD / tuning_seeds**0.5
    own = generator.standard_normal((studies, seeds)) * SEED_SD
    for study in range(studies):
        chosen = []
        for side in (0, 1):
            best = 0
            for setting in range(settings):
                score = worth[study][setting] + luck[side][study][setting]
                if score > worth[study][best] + luck[side][study][best]:
                    best = setting
            chosen.append(worth[study][best])
        for seed in range(seeds):
            # The halves that a pair shares cancel: sqrt(2 * (1 - 0.5)) is 1.
            difference = chosen[1] - chosen[0] + own[study][seed]
            assert found[study][seed] == pytest.approx(difference)


def test_without_a_choice_tuning_makes_no_difference():
    (row,) = selftest(
        1000,
        (5,),
        scenarios=[
            Scenario(
                name="one setting", kind="gain", study=tuned_apart(1, 1), below=None, above=1.2
            )
        ],
    ).rows
    assert 0.03 < row.called_better + row.called_worse < 0.07


def test_luck_in_tuning_is_as_large_as_measured_before():
    scenarios = [s for s in STRESS_TESTS if s.topic == "tuning"]
    one, three = selftest(4000, (5,), scenarios=scenarios).rows
    assert one.called_better + one.called_worse == pytest.approx(0.21, abs=0.02)
    assert three.called_better + three.called_worse == pytest.approx(0.12, abs=0.02)
