"""A setting has learnt if all of its trials have."""

from itertools import product

import pytest

from objbench.judge.trial_learning import setting_status


@pytest.mark.parametrize("statuses", list(product(("learnt", "stuck", "unknown"), repeat=3)))
def test_one_stuck_trial_makes_a_setting_stuck_and_all_must_have_learnt(statuses):
    if any(status == "stuck" for status in statuses):
        expected = "stuck"
    elif all(status == "learnt" for status in statuses):
        expected = "learnt"
    else:
        expected = "unknown"
    assert setting_status(statuses) == expected


def test_of_no_trial_nothing_is_known():
    assert setting_status([]) == "unknown"
