"""Noise by task: the analysis of variance by hand and by loops, and what the floor means."""

import math

import numpy as np
import pytest

from objbench.judge.statistics.noise_floor import noise_floors


def test_components_by_hand():
    # Runs of means 2, 5, 8 and within them -1, +1: MSB = 2 * 18 / 2 = 18, MSW = 6 / 3 = 2.
    scores = np.array([[1.0, 3.0], [4.0, 6.0], [7.0, 9.0]])[None, :, None, :]
    (found,) = noise_floors(scores)
    assert found.finetune == pytest.approx(math.sqrt(2.0))
    assert found.pretrain == pytest.approx(math.sqrt((18.0 - 2.0) / 2.0))
    assert found.deviation == pytest.approx(3.0)
    assert found.freedom == 2
    # t(2, 0.975) = 4.302653, from a printed table.
    assert found.floor == pytest.approx(4.302653 * 3.0 * math.sqrt(2.0 / 3.0), rel=1e-6)


def test_pooled_over_objectives_and_task_by_task_against_loops():
    scores = np.random.Generator(np.random.Philox(1)).normal(size=(3, 4, 2, 5))
    for task, noise in enumerate(noise_floors(scores)):
        within = between = 0.0
        for objective in scores[:, :, task]:
            for run in objective:
                within += sum((value - run.mean()) ** 2 for value in run)
                between += (run.mean() - objective.mean()) ** 2
        msw, msb = within / (3 * 4 * 4), 5 * between / (3 * 3)
        assert noise.finetune == pytest.approx(math.sqrt(msw))
        assert noise.pretrain == pytest.approx(math.sqrt(max(0.0, (msb - msw) / 5)))
        assert noise.deviation == pytest.approx(math.sqrt(msb / 5))
        assert noise.freedom == 9


def test_objectives_may_differ_in_level():
    scores = np.random.Generator(np.random.Philox(2)).normal(size=(2, 3, 1, 2))
    shifted = scores + np.array([0.0, 50.0])[:, None, None, None]
    first, second = noise_floors(scores)[0], noise_floors(shifted)[0]
    assert second.deviation == pytest.approx(first.deviation)
    assert second.finetune == pytest.approx(first.finetune)


def test_runs_closer_than_fine_tuning_explains_have_no_noise_of_their_own():
    scores = np.array([[0.0, 10.0], [1.0, 9.0], [10.0, 0.0]])[None, :, None, :]
    (found,) = noise_floors(scores)
    assert found.pretrain == 0.0
    assert found.floor == 0.0


def test_what_cannot_be_told_apart_is_left_out():
    one_try = noise_floors(np.array([1.0, 2.0, 3.0])[None, :, None, None])[0]
    assert one_try.pretrain is None and one_try.finetune is None
    assert one_try.deviation == pytest.approx(1.0)
    two_seeds = noise_floors(np.array([[1.0, 3.0], [4.0, 6.0]])[None, :, None, :])[0]
    assert two_seeds.floor is None and two_seeds.deviation is not None
    one_seed = noise_floors(np.array([[[[1.0, 3.0]]]]))[0]
    assert one_seed.finetune == pytest.approx(math.sqrt(2.0))
    assert (one_seed.pretrain, one_seed.deviation, one_seed.floor) == (None, None, None)


def test_the_components_are_unbiased_and_the_floor_is_passed_by_chance_at_its_level():
    """Pretraining noise 2, fine-tuning noise 1, two objectives that do not differ."""
    generator = np.random.Generator(np.random.Philox(3))
    runs = 2.0 * generator.normal(size=(2, 4, 3000, 1))
    scores = runs + generator.normal(size=(2, 4, 3000, 3))
    found = noise_floors(scores)
    assert np.mean([noise.finetune**2 for noise in found]) == pytest.approx(1.0, rel=0.05)
    # Cut off at 0, so never quite unbiased; far from 0 here.
    assert np.mean([noise.pretrain**2 for noise in found]) == pytest.approx(4.0, rel=0.05)
    first, second = scores.mean(axis=(1, 3))
    passed = np.abs(first - second) > [noise.floor for noise in found]
    assert 0.04 < passed.mean() < 0.06


@pytest.mark.parametrize("shape", [(3, 2, 2), (1, 0, 2, 2), (1, 2, 2, 0)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="four axes"):
        noise_floors(np.zeros(shape))


def test_missing_scores_are_refused():
    scores = np.zeros((1, 3, 2, 2))
    scores[0, 1, 1, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        noise_floors(scores)
