"""Every check passes what is right, and finds what was planted for it and nothing else."""

from __future__ import annotations

import sys

import pytest

from objbench.plugins.conformance import invariance
from objbench.plugins.conformance.check import run_checks
from objbench.plugins.conformance.checks import CHECKS

planted = sys.modules["planted"]
BY_NAME = {check.name: check for check in CHECKS}
# Not without a GPU, or only with a compiler and a minute.
ELSEWHERE = {"CUDA agrees", "torch.compile agrees"}
PLANTED = [(check, kind) for check, kinds in planted.PLANTED.items() for kind in kinds]


# Those that train or start processes: on a planted objective they are run for their own faults.
LONG = {
    "one process and two agree",
    "a batch in parts agrees",
    "loss falls on one batch",
    "resume changes nothing",
    "export loads in transformers",
    "cost of a step",
}


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch):
    monkeypatch.setattr(invariance, "DRAWS", 16)


def failures(subject, names):
    results = run_checks(subject, [check for check in CHECKS if check.name in names])
    return {r.check.name: r.note for r in results if r.status == "failed"}


def test_nothing_is_found_where_nothing_is_wrong(make_subject):
    subject = make_subject(planted.Both, against=planted.Plain)
    results = list(run_checks(subject, CHECKS))
    assert {r.check.name for r in results if r.status != "ok"} <= ELSEWHERE, results


def test_a_run_of_a_few_steps_is_not_said_to_be_stuck(make_subject, caplog):
    assert failures(make_subject(planted.Plain), {"resume changes nothing"}) == {}
    assert caplog.records == []


@pytest.mark.parametrize("kind", planted.RIGHT[1:])
def test_nothing_is_found_at_once_in_others_that_are_right(make_subject, kind):
    assert failures(make_subject(kind), set(BY_NAME) - LONG) == {}


@pytest.mark.parametrize(("check", "kind"), PLANTED, ids=lambda value: getattr(value, "name", None))
def test_what_is_planted_is_found_by_its_check_alone(make_subject, check, kind):
    found = failures(make_subject(kind, against=planted.Plain), (set(BY_NAME) - LONG) | {check})
    assert check in found
    assert set(found) <= {check} | kind.consequences, found


def test_every_check_has_a_fault_planted_for_it():
    assert set(planted.PLANTED) == set(BY_NAME) - ELSEWHERE


def test_every_check_says_what_it_means_and_how_to_fix_it():
    for check in CHECKS:
        assert check.meaning and check.remedy and "\n" not in check.meaning + check.remedy
    assert len(BY_NAME) == len(CHECKS)
