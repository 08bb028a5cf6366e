"""A share of a few runs is given with how little it says."""

from math import comb

import numpy as np
import pytest

from objbench.judge.statistics.proportions import paired_share_p_value, share


def runs(text):
    return np.array([sign == "1" for sign in text])


def test_none_of_five_may_be_half():
    found = share(runs("00000"))
    assert (found.number, found.runs, found.low) == (0, 5, 0.0)
    # (1 - p)^5 = 0.025
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_the_interval_is_where_both_tails_are_a_fortieth():
    found = share(runs("1101000100"))

    def at_least(p):
        return sum(comb(10, k) * p**k * (1 - p) ** (10 - k) for k in range(4, 11))

    def at_most(p):
        return sum(comb(10, k) * p**k * (1 - p) ** (10 - k) for k in range(5))

    assert at_least(found.low) == pytest.approx(0.025)
    assert at_most(found.high) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("candidate", "baseline", "p"),
    [
        ("11111", "10000", 0.125),  # 4 seeds differ, all one way: 2 / 2^4
        ("11111", "11111", 1.0),
        ("1110", "0001", 0.625),  # 3 one way, 1 the other: 2 * (4 + 1) / 2^4
        ("111111", "000000", 2 / 2**6),
    ],
)
def test_only_seeds_that_differ_count(candidate, baseline, p):
    assert paired_share_p_value(runs(candidate), runs(baseline)) == pytest.approx(p)
    assert paired_share_p_value(runs(baseline), runs(candidate)) == pytest.approx(p)


def test_what_is_refused():
    with pytest.raises(ValueError, match="a share needs"):
        share(np.array([], dtype=bool))
    with pytest.raises(ValueError, match="not paired"):
        paired_share_p_value(runs("10"), runs("1"))
