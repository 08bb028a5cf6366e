"""Looking again after adding seeds keeps the error rate, planned or not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from objbench.judge.statistics import looks as module
from objbench.judge.statistics.estimate import t_factor, t_interval
from objbench.judge.statistics.looks import any_look_level, planned_levels
from objbench.judge.verdict_sentence import level_text
from objbench.results.declared_looks import LAST_LOOK


def critical(level, seeds):
    return t_factor(seeds, level) * np.sqrt(seeds)


def rejections(levels, studies=6_000):
    """Share of studies without any difference that one of the looks calls different; plain data."""
    values = np.random.default_rng(7).normal(size=(studies, max(levels)))
    different = np.zeros(studies, dtype=bool)
    for seeds, level in levels.items():
        mean, half = t_interval(values[:, :seeds], level)
        different |= np.abs(mean) > half
    return different.mean()


def test_one_look_is_the_plain_test():
    assert planned_levels([5]) == pytest.approx([0.95])
    assert planned_levels([12], level=0.9) == pytest.approx([0.9])


def test_three_looks_have_the_published_critical_values():
    levels = planned_levels([5, 10, 20])
    found = [critical(level, n) for level, n in zip(levels, (5, 10, 20), strict=True)]
    assert found == pytest.approx([4.31, 3.02, 2.35], abs=0.01)


def test_the_first_look_spends_its_share_of_the_error():
    assert 1 - planned_levels([5, 10, 20])[0] == pytest.approx(0.05 * 5 / 20, abs=1e-5)


def test_planned_looks_together_keep_the_level():
    plan = (3, 6, 12)
    rate = rejections(dict(zip(plan, planned_levels(plan), strict=True)))
    assert rate == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 6_000))


def test_looks_as_far_apart_as_they_may_be_have_levels_below_one():
    """The last of these adds one seed to very many, which is less than one simulated study."""
    levels = planned_levels((3, LAST_LOOK - 1, LAST_LOOK), level=1 - 0.05 / 200)
    assert all(0.99 < level < 1 for level in levels)
    assert [level_text(level) for level in levels] == ["99.999999%", "99.97%", "99.97%"]


def test_the_plain_level_at_every_look_does_not_keep_it():
    assert rejections(dict.fromkeys(range(3, 21), 0.95)) > 0.15


def test_any_look_keeps_the_level_at_every_number_of_seeds():
    assert rejections({seeds: any_look_level(seeds) for seeds in range(3, 41)}) < 0.05


def test_any_look_is_the_formula():
    n, alpha = 10, 0.05
    k = 1 + 4 * n
    r = (np.sqrt(k) / alpha) ** (2 / n)
    wanted = np.sqrt((n - 1) * (r - 1) / (1 - r / k))
    assert any_look_level(n) == pytest.approx(1 - 2 * t.sf(wanted, n - 1))
    # Three seeds are too few for it to conclude anything.
    assert any_look_level(3) == 1.0


@pytest.mark.parametrize("plan", [(), (2, 5), (5, 5), (10, 5)])
def test_looks_that_are_no_plan(plan):
    with pytest.raises(ValueError, match="looks are rising numbers"):
        planned_levels(plan)


@pytest.mark.parametrize("plan", module._SOLVED)
def test_the_shipped_table_is_what_is_computed(plan, monkeypatch):
    monkeypatch.setattr(module, "_STUDIES", 100_000)
    monkeypatch.setattr(module, "_SEED", 1)
    solved = module._solve.__wrapped__(plan, 0.05)
    assert module._SOLVED[plan] == pytest.approx(solved, abs=0.08)


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 500), st.sampled_from([0.9, 0.95, 0.99]))
def test_any_look_asks_for_more_than_one_look(seeds, level):
    assert level < any_look_level(seeds, level) <= 1.0
