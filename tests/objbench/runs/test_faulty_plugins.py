"""Whatever a plugin does, the other cells are run, and its own record says what it did."""

import dataclasses
import re
import signal
import sys
import time

import numpy as np
import pytest

from objbench.contract.suite import Average, Column, Suite, TaskResult
from objbench.errors import ConfigError, PluginError
from objbench.results.run_folder import read_plan, read_records
from objbench.runs.cells.plugin_fault import reason_of
from objbench.runs.cells.pretrain import PretrainWork
from objbench.runs.dry_run import dry_run
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


class HangsAtItsFirstStep(MaskedLanguageModeling):
    name = "faulty"

    def corrupt(self, batch, streams):
        assert signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL, "there is no limit"
        signal.raise_signal(signal.SIGALRM)  # its time is up


def test_an_objective_that_hangs_at_its_first_step_fails_alone(
    make_study, run, with_objective, tmp_path
):
    study = make_study(objectives=["mlm", "faulty"], evaluation=ALONE)
    run(study, tmp_path, registry=with_objective(HangsAtItsFirstStep), cell_timeout=90.0)
    reasons = {record.objective: record.reason for record in read_records(tmp_path)}
    why = "measuring a step: not finished after 1.5 minutes; raise --cell-timeout"
    assert reasons == {"mlm": "", "faulty": why}


class HangsOnce(MaskedLanguageModeling):
    """Takes its time at the first step of all, when everything has to be loaded."""

    name = "slow"
    times = 1

    def corrupt(self, batch, streams):
        if HangsOnce.times and signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
            HangsOnce.times -= 1
            signal.raise_signal(signal.SIGALRM)
        return super().corrupt(batch, streams)


def test_a_slow_first_step_is_measured_again(make_study, run, with_objective, tmp_path):
    study = make_study(objectives=["slow"], evaluation=ALONE)
    HangsOnce.times = 1
    assert run(
        study, tmp_path / "a", registry=with_objective(HangsOnce), cell_timeout=90.0
    ).complete
    assert not HangsOnce.times


def test_steps_that_are_never_measured_in_time_are_one_line(
    make_study, run, with_objective, tmp_path, monkeypatch
):
    study = make_study(objectives=["slow"], evaluation=ALONE)
    monkeypatch.setattr("objbench.runs.cells.step_costs._fault", lambda job, limit: "")
    HangsOnce.times = 2
    with pytest.raises(ConfigError, match="slow takes longer than --cell-timeout: raise it"):
        run(study, tmp_path, registry=with_objective(HangsOnce), cell_timeout=90.0)


class Learns(MaskedLanguageModeling):
    """Learns from the faulty objective."""

    name = "learns"

    @classmethod
    def teachers(cls, config):
        return ("faulty",)


def test_in_a_study_with_tuning_the_trials_of_such_an_objective_fail_and_no_others(
    make_study, run, with_objective, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("objbench.runs.progress._QUIET_SECONDS", 0.0)
    grid = {"training.learning_rate": [1e-6, 1e-2]}
    study = make_study(
        objectives=["mlm", "faulty", "learns"],
        evaluation=ALONE,
        tuning={"grid": grid, "score": "mlm", "budget": "20-steps", "seeds": [1000]},
    )
    more = with_objective(RaisesAtItsFirstStep, Learns)
    end = run(study, tmp_path / "run", registry=more)
    assert (end.complete, end.exit_code) == (False, 1)
    failed = ["faulty.trial-0", "faulty.trial-1", "faulty.seed-0"]
    assert [failure.id for failure in end.failures] == failed
    records = {record.id: record for record in read_records(tmp_path / "run")}
    assert {name for name, record in records.items() if record.status == "failed"} == {*failed}
    assert {name for name, record in records.items() if record.status == "ok"} == {
        "mlm.trial-0",
        "mlm.trial-1",
        "mlm.seed-0",
    }
    assert read_plan(tmp_path / "run").objectives[0].overrides == {"training.learning_rate": 1e-2}
    assert read_plan(tmp_path / "run").objectives[1].overrides == {}
    printed = capsys.readouterr().err
    assert printed.count("Traceback") == 1  # What is known to be at fault is not measured again.
    # With the time left, where the machine was slow enough for one to be told.
    assert re.search(r"\n8 of 9 cells(, .* left)?\n", printed)
    # A dry run says the same of the folder.
    states = dict(
        reversed(line.rsplit(maxsplit=1))
        for line in dry_run(study, run=tmp_path / "run", registry=more).splitlines()[:-1]
    )
    assert {cell for cell, state in states.items() if state == "done"} == {
        name for name in records if name.startswith("mlm")
    }


def test_a_trial_that_failed_is_not_tried_again_by_the_same_command(
    make_study, run, with_objective, tmp_path, monkeypatch
):
    class Wavers(MaskedLanguageModeling):
        """Fails in the first cell of its own that is trained."""

        name = "wavers"
        cells = 0

        def corrupt(self, batch, streams):
            if Wavers.cells == 1:
                raise RuntimeError("planted fault")
            return super().corrupt(batch, streams)

    pretrain = PretrainWork.do

    def counting(work, cell, started):
        Wavers.cells += cell.objective == "wavers"
        return pretrain(work, cell, started)

    monkeypatch.setattr(PretrainWork, "do", counting)
    grid = {"training.learning_rate": [1e-3, 1e-4]}
    study = make_study(
        objectives=["mlm", "wavers"],
        evaluation=ALONE,
        tuning={"grid": grid, "score": "mlm", "seeds": [1000]},
    )
    end = run(study, tmp_path, registry=with_objective(Wavers))
    assert [failure.id for failure in end.failures] == ["wavers.trial-0"]
    assert Wavers.cells == 3
    assert {r.id: r.status for r in read_records(tmp_path)}["wavers.trial-0"] == "failed"
    assert read_plan(tmp_path).objectives[1].overrides == {"training.learning_rate": 1e-4}


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
    (lambda: _result(75.0), "scores: Value error, task accuracy of 75 is not within 0 to 1"),
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


@pytest.mark.parametrize("error", [ValueError, FloatingPointError, SystemExit])
def test_a_reason_is_short_enough_for_a_record(error):
    assert len(reason_of(error("a" * 10**6))) < 2100


class Averages(Odd):
    """Averages a column that it does not have."""

    def average(self):
        return Average("mean", (("another",),))


class TwoColumnsOfOneName(Odd):
    def columns(self):
        return super().columns() * 2


@pytest.mark.parametrize(
    ("suite", "why"),
    [
        (Averages, "odd averages another, not all columns of it"),
        (TwoColumnsOfOneName, "two columns of odd are called task"),
    ],
)
def test_a_suite_that_no_plan_can_hold_is_one_line(make_study, run, registry, tmp_path, suite, why):
    more = dataclasses.replace(
        registry,
        suites={**registry.suites, "odd": suite},
        _origins={**registry._origins, "odd": registry.origin("toy")},
    )
    study = make_study(objectives=["mlm"], evaluation={**ALONE, "suites": ["odd"]})
    for ask in (
        lambda: dry_run(study, run=tmp_path, registry=more),
        lambda: run(study, tmp_path, registry=more),
    ):
        with pytest.raises(ConfigError, match=f"{why}; fix the plugin, or leave it out"):
            ask()
