"""SIGTERM and Ctrl-C keep the steps that were taken."""

import os
import signal

import pytest

from objbench.engine.training.checkpoint_files import read_checkpoint
from objbench.engine.training.interruption import interrupts_between_steps
from objbench.engine.training.trainer import pretrain


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    """Ctrl-C interrupts, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_of_the_last_whole_step(number, tiny, tmp_path, monkeypatch):
    job = tiny.tiny_job(tmp_path)
    taken = []

    def advance(run):
        original(run)
        taken.append(run.step)
        if len(taken) == 2:
            os.kill(os.getpid(), number)

    from objbench.engine.training.trainer import _Run

    original = _Run._advance
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setattr(_Run, "_advance", advance)
    with pytest.raises(KeyboardInterrupt):
        pretrain(job, lambda *_: None)
    assert taken == [1, 2]
    assert read_checkpoint(job.checkpoints, job.key).step == 2
    assert {each: signal.getsignal(each) for each in before} == before
    monkeypatch.undo()
    resumed = pretrain(job, lambda *_: None)
    assert resumed.points[-1].meters.steps == job.steps


def test_a_second_signal_interrupts_a_step_that_hangs(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("objbench.engine.training.interruption.time.monotonic", lambda: now[0])
    with pytest.raises(KeyboardInterrupt), interrupts_between_steps(alone=True) as asked:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked()
        now[0] = 2.0
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")


def test_a_signal_after_the_body_asked_for_the_last_time_is_not_lost():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as interrupt, interrupts_between_steps(True) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupt.value.args == (signal.SIGTERM,)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_while_the_last_checkpoint_is_stored_ends_the_run(tiny, tmp_path, monkeypatch):
    from objbench.engine.training.checkpoint_writer import CheckpointWriter

    job = tiny.tiny_job(tmp_path, checkpoint_every=0)
    leave = CheckpointWriter.__exit__

    def leave_late(writer, *error):
        os.kill(os.getpid(), signal.SIGTERM)
        return leave(writer, *error)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointWriter, "__exit__", leave_late)
        with pytest.raises(KeyboardInterrupt):
            pretrain(job, lambda *_: None)
    resumed = pretrain(job, lambda *_: None)
    assert resumed.points[-1].meters.steps == job.steps
