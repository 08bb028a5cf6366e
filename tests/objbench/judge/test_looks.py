"""Which seeds a verdict is read from, and at what level: by hand, and by simulating who looks."""

import numpy as np
import pytest
from scipy.stats import t

from objbench.judge.looks import Look, at_look, declared_looks, declared_order, look_at
from objbench.judge.statistics.looks import any_look_level, planned_levels
from objbench.results.study_results import join


def results_of(make_study, seeds, declared=(), looks=()):
    study = make_study(seeds=seeds)
    study.plan = study.plan.model_copy(update={"declared": declared, "looks": looks})
    return join(study.plan, study.records.values())


def test_without_a_declaration_there_is_one_look_at_the_first_commands_seeds(make_study):
    results = results_of(make_study, (1, 2, 3, 4), ((1, 2, 3, 4),))
    found = look_at(results)
    assert (found.seeds, found.looks, found.number) == ((1, 2, 3, 4), (4,), 1)
    assert found.is_plain
    assert found.is_reached
    assert found.following is None
    assert found.level(4) == 0.95
    # A plan of before seeds were declared.
    assert look_at(results_of(make_study, (1, 2, 3))) == Look((1, 2, 3), (3,), 1)
    # Two seeds were no look.
    later = results_of(make_study, (1, 2, 3, 4), ((1, 2), (3, 4)))
    assert declared_looks(later.plan) == (4,)


def test_a_look_is_reached_when_all_of_its_seeds_are_complete(make_study):
    results = results_of(make_study, tuple(range(6)), looks=(3, 5))
    assert look_at(results, {4, 5}) == Look((0, 1, 2), (3, 5), 1)
    assert look_at(results, {4, 5}).following == 5
    assert look_at(results, {5}) == Look((0, 1, 2, 3, 4), (3, 5), 2)
    waiting = look_at(results, {1, 3, 4, 5})
    assert waiting == Look((0, 1, 2), (3, 5), 1, incomplete=(1,))
    assert not waiting.is_reached
    few = look_at(results_of(make_study, (0, 1), looks=(3, 5)))
    assert (few.seeds, few.number, few.is_reached) == ((0, 1), 1, False)


def test_seeds_beyond_the_last_look_are_judged_at_every_look(make_study):
    results = results_of(make_study, tuple(range(6)), ((0, 1, 2, 3), (4, 5)))
    # Nothing of what was added is there yet.
    assert look_at(results, {4, 5}) == Look((0, 1, 2, 3), (4,), 1)
    found = look_at(results, {5})
    assert found == Look((0, 1, 2, 3, 4, 5), (4,), 0, incomplete=(5,))
    assert found.is_reached
    assert not found.is_declared
    assert found.level(5) == any_look_level(5)
    assert found.level(5, claims=2) == any_look_level(5, 0.975)
    assert 0.999 < found.level(3) < 1


def test_those_declared_first_are_judged_first(make_study):
    results = results_of(make_study, (1, 2, 3, 4, 5), ((5, 3, 4), (1, 2)))
    assert declared_order(results) == (5, 3, 4, 1, 2)
    assert look_at(results, {1, 2}).seeds == (5, 3, 4)
    part = at_look(results, look_at(results, {1, 2}))
    assert part.seeds == (3, 4, 5)
    assert at_look(results, look_at(results)) is results


def test_levels_of_declared_looks_are_those_that_share_the_error(make_study):
    results = results_of(make_study, tuple(range(10)), looks=(5, 10, 20))
    found = look_at(results)
    assert (found.number, found.following) == (2, 20)
    assert found.level(10) == planned_levels((5, 10, 20))[1]
    assert found.level(10, claims=2) == planned_levels((5, 10, 20), 0.975)[1]
    assert found.level(10, claims=2) > found.level(10) > 0.95


def test_the_results_of_some_seeds_hold_nothing_of_the_others(make_study):
    study = make_study(seeds=(1, 2, 3), trials=2)
    results = join(study.plan, study.records.values())
    part = results.of_seeds((3, 1))
    assert part.seeds == (1, 3)
    assert {seed for _, seed in part.pretraining} == {1, 3}
    kept = {cell.seed for cell in part.plan.cells if cell.kind != "trial"}
    assert kept == {1, 3}
    assert sum(cell.kind == "trial" for cell in part.plan.cells) == 4
    assert set(part.records) == {cell.id for cell in part.plan.cells}
    assert [record.seed for record in part.pretrained("mlm")] == [1, 3]


def false_calls(looks, most, repetitions=40_000):
    """How often equal objectives are called different, a side, by who looks at every seed.

    He may look at the declared looks, and after the last of them at every further seed.
    """
    random = np.random.default_rng(11)
    differences = random.normal(size=(repetitions, most))
    called = np.zeros(repetitions, dtype=bool)
    for seeds in range(3, most + 1):
        if seeds <= looks[-1]:
            if seeds not in looks:
                continue
            look = Look(tuple(range(seeds)), looks, looks.index(seeds) + 1)
        else:
            look = Look(tuple(range(seeds)), looks, 0)
        own = differences[:, :seeds]
        ratio = own.mean(axis=1) / (own.std(axis=1, ddof=1) / np.sqrt(seeds))
        called |= ratio > t.ppf((1 + look.level(seeds)) / 2, seeds - 1)
    return called.mean()


@pytest.mark.parametrize(
    ("looks", "most", "allowed"),
    [
        ((5,), 5, 0.025),
        ((5, 10, 20), 20, 0.025),
        # What is declared keeps its level; what comes after adds a little.
        ((5,), 20, 0.0285),
        ((3,), 20, 0.0315),
        ((5, 10), 20, 0.0275),
    ],
)
def test_looking_costs_what_is_said(looks, most, allowed):
    rate = false_calls(looks, most)
    # Two standard errors of 40,000 studies.
    assert 0.02 < rate < allowed + 2 * np.sqrt(0.025 / 40_000)
