"""Checkpoints are written while training goes on, and only by whoever still has the cell."""

from __future__ import annotations

import threading

import pytest
import torch

from objbench.engine.training import checkpoint_writer
from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from objbench.engine.training.checkpoint_writer import CheckpointWriter
from objbench.results.fence import LeaseLost, fenced


def checkpoint(step):
    return Checkpoint(step, {"weights": {"a": torch.full((3,), float(step))}}, {})


def writer_of(folder, every=0.0, found=None, sync=lambda: None):
    return CheckpointWriter(folder, "key", every, found, sync)


def nothing(path):
    """Keeps it in its folder alone."""


def steps(folder):
    return sorted(int(path.name.removeprefix("step-")) for path in folder.glob("step-*"))


def test_the_last_two_are_kept(tmp_path):
    with writer_of(tmp_path) as writer:
        for step in (1, 2, 3):
            writer.write(lambda step=step: checkpoint(step), nothing)
    assert steps(tmp_path) == [2, 3]
    # What a run continues from is one of the two; a damaged later one is none of them.
    write_checkpoint(tmp_path, "key", checkpoint(9))
    (tmp_path / "step-9" / "state.json").unlink()
    found = read_checkpoint(tmp_path, "key")
    assert found.step == 3
    with writer_of(tmp_path, found=found.step) as writer:
        writer.write(lambda: checkpoint(4), nothing)
        writer.wait()
        assert steps(tmp_path) == [3, 4]
        writer.write(lambda: checkpoint(4), nothing)
    assert steps(tmp_path) == [3, 4]


def test_training_goes_on_while_it_is_written(tmp_path, monkeypatch):
    writes, plain = threading.Event(), write_checkpoint

    def slow(*args):
        assert writes.wait(60)
        plain(*args)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", slow)
    now = [100.0]
    monkeypatch.setattr(checkpoint_writer.time, "monotonic", lambda: now[0])
    synced = []
    with writer_of(tmp_path, every=60.0, sync=lambda: synced.append(steps(tmp_path))) as writer:
        assert not writer.is_due
        now[0] = 160.0
        assert writer.is_due
        weight = torch.ones(3)
        writer.write(lambda: Checkpoint(1, {"weights": {"a": weight.clone()}}, {}), nothing)
        weight += 1  # training goes on
        now[0] = 500.0
        assert not writer.is_due and steps(tmp_path) == []
        writes.set()
        writer.wait()
        # It took from 160 to 500, and may take a tenth of the time.
        now[0] = 160.0 + 3399.0
        assert not writer.is_due
        now[0] += 2.0
        assert writer.is_due
    assert torch.equal(read_checkpoint(tmp_path, "key").tensors["weights"]["a"], torch.ones(3))
    assert synced == [[]]


def test_a_write_that_fails_is_raised_where_the_training_is(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), writer_of(tmp_path) as writer:
        writer.write(lambda: checkpoint(1), nothing)
        writer.wait()
        monkeypatch.setattr(checkpoint_writer, "write_checkpoint", full)
        writer.write(lambda: checkpoint(2), nothing)
        writer._thread.join()
        writer.check()
        pytest.fail("it went on")
    assert steps(tmp_path) == [1]


def test_whoever_has_lost_the_cell_stores_and_removes_nothing(tmp_path):
    lost = []

    def renew():
        if lost:
            raise LeaseLost("taken over")

    with fenced(renew), pytest.raises(LeaseLost), writer_of(tmp_path) as mine:
        for step in (1, 2):
            mine.write(lambda step=step: checkpoint(step), nothing)
        mine.wait()
        lost.append(True)
        # The next worker continues, and does not come here for the lease.
        for step in (3, 4):
            write_checkpoint_of_another(tmp_path, step)
        mine.write(lambda: checkpoint(5), nothing)
    assert steps(tmp_path) == [1, 2, 3, 4]


def write_checkpoint_of_another(folder, step):
    (folder / f"step-{step}").mkdir()


def test_a_lease_that_is_lost_after_the_write_removes_nothing_of_the_next_worker(
    tmp_path, monkeypatch
):
    calls = []

    def renew():
        calls.append(steps(tmp_path))
        if len(calls) == 6:  # the last of 1, 2, 3 is stored, and 1 is to be removed
            write_checkpoint_of_another(tmp_path, 7)
            raise LeaseLost("taken over")

    with fenced(renew), pytest.raises(LeaseLost), writer_of(tmp_path) as mine:
        for step in (1, 2, 3, 4):
            mine.write(lambda step=step: checkpoint(step), nothing)
    assert steps(tmp_path) == [2, 3, 4, 7]


def test_what_another_machine_does_not_get_is_here_all_the_same(tmp_path):
    taken = []

    def kept(path):
        assert path.is_dir()
        if len(taken) == 2:
            raise OSError(5, "the store is away")
        taken.append(path.name)

    with pytest.raises(OSError, match="away"), writer_of(tmp_path) as writer:
        for step in (1, 2, 3):
            writer.write(lambda step=step: checkpoint(step), kept)
    assert taken == ["step-1", "step-2"]
    assert steps(tmp_path) == [2, 3]


def test_what_an_interrupt_leaves_does_not_wait_for_what_is_on_its_way_elsewhere(
    tmp_path, monkeypatch
):
    taken, second_is_here, plain = [], threading.Event(), write_checkpoint

    def write(folder, key, made):
        plain(folder, key, made)
        if made.step == 2:
            second_is_here.set()

    def slow(path):
        assert second_is_here.wait(60)
        taken.append(path.name)

    monkeypatch.setattr(checkpoint_writer, "write_checkpoint", write)
    with writer_of(tmp_path) as writer:
        writer.write(lambda: checkpoint(1), slow)
        writer.write_last(lambda: checkpoint(2), lambda path: taken.append(path.name))
    assert taken == ["step-1", "step-2"]
    assert steps(tmp_path) == [1, 2]


def test_an_interrupt_whose_upload_fails_leaves_the_checkpoint_here(tmp_path):
    def away(path):
        raise OSError(5, "the store is away")

    with pytest.raises(OSError, match="away"), writer_of(tmp_path) as writer:
        writer.write(lambda: checkpoint(1), away)
        writer.write_last(lambda: checkpoint(2), away)
    assert read_checkpoint(tmp_path, "key").step == 2
