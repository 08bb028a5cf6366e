"""A speedup that its digits do not say is explained where a reader first meets it."""

import pytest

from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.quantity import Quantity
from objbench.leaderboard.tables.bounds import bound_forms, bounds_sentence


def speedup(estimate, low=None, high=None):
    ends = (None if end is None else Bound(*end) for end in (estimate, low, high))
    return Quantity(**dict(zip(("estimate", "low", "high"), ends, strict=True)), notation="speedup")


BELOW, ABOVE = (1.02, "below"), (8.0, "above")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (speedup((2.0,), (1.5,), (3.0,)), ""),
        (speedup((2.0,)), ""),
        (
            speedup(BELOW),
            (
                '"< 1.02x": the baseline\'s final score was not reached within the budget, so the '
                "speedup is below 1.02x."
            ),
        ),
        (
            speedup(BELOW, BELOW, BELOW),
            (
                '"never reached (< 1.02x)": the baseline\'s final score was not reached within the '
                "budget, so the speedup is below 1.02x."
            ),
        ),
        (
            speedup(BELOW, BELOW, (1.12,)),
            (
                '"< 1.02x, up to 1.12x": the mean curve did not reach the baseline\'s final score '
                "within the budget, so the estimate is below 1.02x; the 95% interval ends at 1.12x."
            ),
        ),
        (
            speedup(BELOW, BELOW, ABOVE),
            (
                '"< 1.02x [< 1.02x, > 8.00x]": the mean curve did not reach the baseline\'s final '
                "score within the budget, so the estimate is below 1.02x; the 95% interval ends above "
                "8.00x."
            ),
        ),
        (
            speedup(ABOVE, (4.0,), ABOVE),
            (
                '"> 8.00x, down to 4.00x": the first point measured was already past the baseline\'s '
                "final score, so the speedup is above 8.00x."
            ),
        ),
        (
            speedup((2.0,), BELOW, ABOVE),
            (
                '"2.00x [< 1.02x, > 8.00x]": the interval begins below 1.02x, the smallest speedup that '
                'could be measured. "2.00x [< 1.02x, > 8.00x]": the interval ends above 8.00x, the '
                "largest speedup that could be measured."
            ),
        ),
    ],
)
def test_every_form_of_a_bound_is_explained_by_its_example(found, said):
    assert bounds_sentence([found]) == said
    # Whatever shows a < or > is explained.
    assert bool(said) == any(sign in found.text for sign in "<>")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            speedup((1.32,), (1.0001,), (1.41,)),
            '"1.32x [1.00x, 1.41x]": the interval begins above 1, by less than its digits show.',
        ),
        (
            speedup((0.91,), (0.87,), (0.9999,)),
            '"0.91x [0.87x, 1.00x]": the interval ends below 1, by less than its digits show.',
        ),
        # Nothing is hidden: 1 is in it, or is its end.
        (speedup((1.32,), (0.9999,), (1.41,)), ""),
        (speedup((1.32,), (1.0,), (1.41,)), ""),
        (speedup((0.91,), (0.87,), (1.0001,)), ""),
        (speedup((1.32,), (1.01,), (1.41,)), ""),
    ],
)
def test_an_interval_that_only_its_digits_take_to_one_is_explained(found, said):
    assert bounds_sentence([found]) == said


def test_each_form_is_explained_once_and_not_again_below():
    first, second = speedup(BELOW), speedup((1.1, "below"))
    assert bounds_sentence([first, second]) == bounds_sentence([first])
    assert bounds_sentence([second, speedup(ABOVE)], bound_forms(first)) == bounds_sentence(
        [speedup(ABOVE)]
    )
