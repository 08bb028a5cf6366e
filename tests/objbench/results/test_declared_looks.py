"""Looks rise from three seeds on, and without any the first command's seeds are the look."""

import pytest

from objbench.judge.statistics.estimate import MIN_RUNS
from objbench.results.declared_looks import (
    FIRST_LOOK,
    LAST_LOOK,
    MOST_LOOKS,
    first_look,
    require_looks,
)
from objbench.results.plan import Plan


def test_a_look_needs_an_interval():
    assert FIRST_LOOK == MIN_RUNS


@pytest.mark.parametrize("looks", [(), (3,), (5, 10, 20)])
def test_rising_looks_are_kept(looks):
    assert require_looks(looks) == looks


@pytest.mark.parametrize(
    ("looks", "fault"),
    [
        ((5, 5), "larger"),
        ((5, 4), "larger"),
        ((2, 9), "2"),
        ((3, 10**18), "no study has 1,000,000,000,000,000,000 seeds"),
        ((3, LAST_LOOK + 1), "100,000 at the latest"),
        (tuple(range(3, MOST_LOOKS + 4)), "51 looks are too many"),
    ],
)
def test_other_looks_are_refused(looks, fault):
    with pytest.raises(ValueError, match=fault):
        require_looks(looks)


def test_a_plan_with_looks_that_fall_is_refused(make_study):
    fields = make_study(seeds=(1, 2, 3)).plan.model_dump(mode="json")
    assert Plan.model_validate(fields | {"looks": [3, 5]}).looks == (3, 5)
    with pytest.raises(ValueError, match="each larger"):
        Plan.model_validate(fields | {"looks": [5, 3]})


@pytest.mark.parametrize(
    ("declared", "seeds"),
    [
        ([], 0),
        ([[1, 2, 3, 4, 5]], 5),
        ([[1, 2, 3, 4, 5], [6, 7]], 5),
        ([[1], [2, 3, 4], [5]], 4),
        ([[1], [2]], 2),
    ],
)
def test_the_first_look_is_at_the_first_seeds_that_can_be_judged(declared, seeds):
    assert first_look(declared) == seeds
