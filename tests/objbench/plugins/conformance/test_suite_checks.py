"""Every check of suites passes one that is right, and finds what was planted for it."""

from __future__ import annotations

import random
from itertools import count

import numpy as np
import pytest
import torch

from objbench.contract.suite import (
    Average,
    Column,
    EvaluationContext,
    ExampleScores,
    Suite,
    TaskResult,
)
from objbench.plugins.conformance.check import run_checks
from objbench.plugins.conformance.suite_checks import SUITE_CHECKS
from objbench.plugins.conformance.suite_subject import MOST_TRAINED, SuiteSubject

BY_NAME = {check.name: check for check in SUITE_CHECKS}
EVER = count()


class Right(Suite):
    """Two tasks whose scores are drawn from the seed."""

    name = "right"
    summary = "right"
    version = 1
    protocol = "none"

    def tasks(self):
        return ("a", "b")

    def columns(self):
        return tuple(Column(name=f"{task}_m", task=task, metrics=("accuracy",)) for task in "ab")

    def average(self):
        return Average("mean", (("a_m",), ("b_m",)))

    def fingerprint(self, task):
        return f"0{ord(task)}"

    def floors(self):
        return ("chance",)

    def evaluate_floor(self, floor, tokenizer, task, seed, context):
        return self.evaluate(tokenizer, task, seed, context)

    def evaluate(self, encoder, task, seed, context):
        generator = np.random.default_rng([seed, ord(task), context.tuning])
        points = generator.integers(2, size=20).astype(float)
        return self.result(task, points, f"{task} {context.tuning}")

    def result(self, task, points, of, **changes):
        given = {
            "scores": {f"{task}_m": {"accuracy": points.mean()}},
            "train_examples": 10,
            "eval_examples": {f"{task}_m": len(points)},
            "examples": {f"{task}_m": ExampleScores(of, {"accuracy": points})},
        }
        return TaskResult(**{**given, **changes})


def changing(**methods):
    return type("Changed", (Right,), methods)


def given(**changes):
    """A suite whose results have these fields."""

    def evaluate(self, encoder, task, seed, context):
        points = np.ones(4)
        return self.result(task, points, str(context.tuning), **changes)

    return changing(evaluate=evaluate)


def drawing(self, encoder, task, seed, context):
    return self.result(task, np.array([torch.rand(1).item(), random.random()]), str(context.tuning))


def littering(self, encoder, task, seed, context):
    (encoder / f"{next(EVER)}").write_text("")
    return Right.evaluate(self, encoder, task, seed, context)


PLANTED = {
    "fits a plan": [
        changing(tasks=lambda self: ()),
        changing(tasks=lambda self: ("a/../..", "b")),
        changing(average=lambda self: Average("mean", (("c",),))),
        changing(columns=lambda self: (Column("a_m", "c", ("accuracy",)),)),
        changing(columns=lambda self: (Column("a_m", "a", ()),)),
        changing(seeds=lambda self: ()),
        changing(seeds=lambda self: (0, 0)),
        changing(floors=lambda self: ("a/b",)),
    ],
    "fingerprints": [
        changing(fingerprint=lambda self, task: f"{task}{next(EVER)}"),
        changing(fingerprint=lambda self, task: "0"),
    ],
    "columns are scored": [
        given(scores={}),
        given(scores={"a_m": {"f1": 0.5}, "b_m": {"f1": 0.5}}),
        given(scores={"a_m": {"accuracy": 2.0}, "b_m": {"accuracy": 2.0}}),
        given(scores={"a_m": {"accuracy": float("nan")}, "b_m": {"accuracy": float("nan")}}),
        given(eval_examples={}),
        given(details={"x": {1, 2}}),
    ],
    "same seed, same scores": [changing(evaluate=drawing)],
    "training examples are limited": [given(train_examples=MOST_TRAINED + 1)],
    "tuning holds back": [
        changing(evaluate=lambda self, e, task, s, c: self.result(task, np.ones(4), "same"))
    ],
    "examples make the scores": [
        given(examples={"a_m": ExampleScores("x", {"accuracy": np.zeros(4)})}),
        given(examples={"a_m": ExampleScores("x", {"accuracy": np.ones(3)})}),
        given(examples={"a_m": ExampleScores("x", {"accuracy": np.array([np.inf] * 4)})}),
        given(examples={"c": ExampleScores("x", {"accuracy": np.ones(4)})}),
    ],
    "floors are scored alike": [
        changing(evaluate_floor=lambda self, f, t, task, s, c: self.result(task, np.ones(3), "x")),
        changing(evaluate_floor=Suite.evaluate_floor),
    ],
    "leaves all else alone": [changing(evaluate=littering), changing(evaluate=drawing)],
}


@pytest.fixture
def failures(tmp_path):
    """(suite class) -> the names of the checks that fail."""
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")

    def find(kind, checks=SUITE_CHECKS):
        def context(tuning=False):
            return EvaluationContext(
                cache=tmp_path / "cache", max_train_samples=MOST_TRAINED, tuning=tuning
            )

        subject = SuiteSubject(lambda: kind(kind.Config()), tmp_path / "encoder", context)
        results = list(run_checks(subject, checks))
        assert all(result.note and "\n" not in result.note for result in results)
        return {result.check.name: result.note for result in results if result.status != "ok"}

    return find


def test_nothing_is_found_where_nothing_is_wrong(failures):
    assert failures(Right) == {}


def test_what_cannot_be_checked_is_skipped(failures):
    bare = type("Bare", (Right,), {"tunable": False, "floors": lambda self: ()})
    assert failures(bare) == {
        "tuning holds back": "the suite says that nothing can be tuned by it",
        "floors are scored alike": "the suite names no floor but the untrained encoder",
    }
    assert list(failures(given(examples={}))) == ["examples make the scores"]


@pytest.mark.parametrize(
    ("check", "kind"), [(check, kind) for check, kinds in PLANTED.items() for kind in kinds]
)
def test_what_is_planted_is_found(check, kind, failures):
    found = failures(kind, [BY_NAME[check]])
    assert list(found) == [check], found


def test_every_check_has_a_fault_planted_for_it_and_says_how_to_fix_it():
    assert set(PLANTED) == set(BY_NAME)
    assert len(BY_NAME) == len(SUITE_CHECKS)
    for check in SUITE_CHECKS:
        assert check.meaning and check.remedy and "\n" not in check.meaning + check.remedy
