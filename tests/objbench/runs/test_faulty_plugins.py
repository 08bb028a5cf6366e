"""Whatever a plugin does, the other cells are run, and its own record says what it did."""

import dataclasses
import sys
import time

import numpy as np
import pytest

from objbench.contract.suite import Average, Column, Suite, TaskResult
from objbench.errors import PluginError
from objbench.results.run_folder import read_records
from objbench_objectives.mlm import MaskedLanguageModeling

ALONE = {"suites": [], "points": 1, "heldout_batches": 1}


class RaisesAtOnce(MaskedLanguageModeling):
    name = "faulty"

    def __init__(self, config, encoder_spec):
        raise AttributeError("HIDDEN")


class RaisesAtItsFirstStep(MaskedLanguageModeling):
    name = "faulty"

    def corrupt(self, batch, streams):
        raise AttributeError("HIDDEN")


class Exits(MaskedLanguageModeling):
    name = "faulty"

    def corrupt(self, batch, streams):
        sys.exit(0)


FAULTS = [
    (RaisesAtOnce, "measuring a step: AttributeError: HIDDEN"),
    (RaisesAtItsFirstStep, "measuring a step: AttributeError: HIDDEN"),
    (Exits, "measuring a step: a plugin called sys.exit(0)"),
]


@pytest.mark.parametrize(("objective", "reason"), FAULTS)
def test_an_objective_that_takes_no_step_fails_alone(
    objective, reason, make_study, run, with_objective, tmp_path, capsys
):
    study = make_study(objectives=["mlm", "faulty"], evaluation=ALONE)
    end = run(study, tmp_path / "run", registry=with_objective(objective))
    assert (end.complete, end.exit_code) == (False, 1)
    assert [failure.id for failure in end.failures] == ["faulty.seed-0"]
    records = {record.objective: record for record in read_records(tmp_path / "run")}
    assert records["mlm"].status == "ok"
    assert records["faulty"].status == "failed"
    assert records["faulty"].reason.startswith(reason)
    if objective is not Exits:
        assert "test_faulty_plugins.py:" in records["faulty"].reason
    # It is tried again, and counts once it works.
    repaired = type("Repaired", (MaskedLanguageModeling,), {"name": "faulty"})
    assert run(study, tmp_path / "run", registry=with_objective(repaired)).complete


def test_a_baseline_that_takes_no_step_gives_no_budget(make_study, run, with_objective, tmp_path):
    study = make_study(objectives=["faulty", "mlm"], evaluation=ALONE)
    with pytest.raises(PluginError, match=r"'faulty' .*the baseline cannot take a step.*HIDDEN"):
        run(study, tmp_path / "run", registry=with_objective(RaisesAtItsFirstStep))


class Odd(Suite):
    """Its one task's result is made by ``make``."""

    name = "odd"
    summary = "a suite at fault"
    version = 1
    make = staticmethod(lambda: None)

    protocol = "none"

    def tasks(self):
        return ("task",)

    def columns(self):
        return (Column("task", "task", ("accuracy",)),)

    def average(self):
        return Average("mean", (("task",),))

    def fingerprint(self, task):
        return "odd"

    def evaluate(self, encoder, task, seed, context):
        type(self).make()
        return type(self).make()


def _result(score=0.5, **details):
    return TaskResult({"task": {"accuracy": score}}, 1, {"task": 1}, details)


def _hangs():
    time.sleep(30)


RESULTS = [
    (lambda: _result(float("nan")), "scores.task.accuracy = nan"),
    (lambda: _result(loss=float("inf")), "details.loss = inf"),
    (lambda: _result(loss=np.zeros(2)), "details.loss = a numpy.ndarray"),
    (lambda: _result(parts=[1, np.float32(2)]), "details.parts[1] = a numpy.float32"),
    (lambda: sys.exit(0), "a plugin called sys.exit(0)"),
    (lambda: None, "AttributeError: 'NoneType' object has no attribute 'scores'"),
    # Last, when there is nothing but the evaluation left to be timed.
    (_hangs, "not finished after 0.01 minutes; raise --cell-timeout"),
]


def test_a_suite_fails_alone(make_study, run, registry, tmp_path, monkeypatch):
    more = dataclasses.replace(
        registry,
        suites={**registry.suites, "odd": Odd},
        _origins={**registry._origins, "odd": registry.origin("toy")},
    )
    study = make_study(objectives=["mlm"], evaluation={**ALONE, "suites": ["odd"]})
    for make, reason in RESULTS:
        monkeypatch.setattr(Odd, "make", staticmethod(make))
        limit = 0.6 if make is _hangs else None
        assert not run(study, tmp_path / "run", registry=more, cell_timeout=limit).complete
        records = {record.kind: record for record in read_records(tmp_path / "run")}
        assert records["pretrain"].status == "ok"
        assert reason in records["evaluation"].reason
    monkeypatch.setattr(Odd, "make", staticmethod(_result))
    assert run(study, tmp_path / "run", registry=more).complete
