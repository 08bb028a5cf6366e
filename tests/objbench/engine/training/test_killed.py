"""A run killed at any instant and started again is, bit for bit, the run that was not killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest
import torch

KILLED = int(signal.SIGKILL)
OPTIONS = {"steps": 20, "export_steps": [10, 20], "checkpoint_every": 0, "objective": "tiny-both"}


@pytest.fixture(scope="module")
def whole(trainers, tmp_path_factory):
    """The run that nothing disturbs, without any checkpoint."""
    run = tmp_path_factory.mktemp("whole")
    options = {**OPTIONS, "checkpoint_every": 1e9}
    assert trainers.wait(trainers.start(run, run / "result.json", **options)) == 0
    return run


def assert_same(weights, whole, run):
    left, right = (json.loads((folder / "result.json").read_text()) for folder in (whole, run))
    for key in ("status", "losses", "heldout", "encoders", "flops", "tokens"):
        assert left[key] == right[key]
    assert right["seconds"] == sorted(right["seconds"])
    for encoder in left["encoders"]:
        one, two = weights(whole, encoder), weights(run, encoder)
        assert all(torch.equal(one[name], two[name]) for name in one)
    # Nothing half written is left beside what was exported and stored.
    names = {path.name for path in (run / "encoders" / "tiny-both").iterdir()}
    assert names == {"step-10", "step-20"}
    names = {path.name for path in (run / "checkpoints" / "tiny-both").iterdir()}
    assert names == {"step-19", "step-20"}


def wait_for_step(checkpoints, step):
    """Return once a checkpoint of ``step`` or later is there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        stored = checkpoints.glob("step-*") if checkpoints.is_dir() else ()
        if any(int(path.name.removeprefix("step-")) >= step for path in stored):
            return
        time.sleep(0.002)
    pytest.fail(f"no checkpoint of step {step} came")


def test_killed_at_random_moments(trainers, whole, tmp_path, weights):
    dice = random.Random(time.time_ns())
    for step in (1, 5, 9):
        process = trainers.start(tmp_path, tmp_path / "result.json", **OPTIONS)
        wait_for_step(tmp_path / "checkpoints" / "tiny-both", step)
        time.sleep(dice.uniform(0, 0.02))
        os.kill(process, signal.SIGKILL)
        assert trainers.wait(process) == KILLED
    assert trainers.wait(trainers.start(tmp_path, tmp_path / "result.json", **OPTIONS)) == 0
    assert_same(weights, whole, tmp_path)


@pytest.mark.parametrize(
    ("place", "after"),
    [
        pytest.param(
            "objbench.engine.training.checkpoint_files.save_file", 13, id="in a checkpoint"
        ),
        pytest.param(
            "objbench.engine.training.checkpoint_files._digest", 13, id="after its tensors"
        ),
        pytest.param("objbench.results.atomic_files._sync", 20, id="before the rename"),
        pytest.param(
            "objbench.engine.training.checkpoint_writer.remove_folder", 4, id="after the rename"
        ),
        pytest.param("shutil.rmtree", 3, id="in the removal"),
        pytest.param("objbench.engine.encoder.export._no_progress_bars", 0, id="in an export"),
    ],
)
def test_killed_while_writing(trainers, whole, tmp_path, weights, place, after):
    result = tmp_path / "result.json"
    process = trainers.start(tmp_path, result, die_at=[place, after], **OPTIONS)
    assert trainers.wait(process) == KILLED
    assert not result.exists()
    assert trainers.wait(trainers.start(tmp_path, result, **OPTIONS)) == 0
    assert_same(weights, whole, tmp_path)


# After 3 steps of trunk come 3 of branch, and so on: 24 steps on the route, 20 of the last model.
TRUNK = {**OPTIONS, "schedule": "trunk", "cooldown": 1.0, "export_steps": [6, 20]}


# The first point would fork within 4 steps of warm-up, so it is a branch of 6 steps from step 0.
OWN_RUN = {**TRUNK, "warmup": 0.2}


@pytest.mark.parametrize(
    ("options", "calls"),
    [(TRUNK, 1), (TRUNK, 4), (TRUNK, 9), (OWN_RUN, 3)],
    ids=["trunk", "branch", "trunk again", "a run of its own"],
)
def test_a_trunk_killed_anywhere_goes_on_where_it_was(trainers, tmp_path, weights, options, calls):
    runs = [tmp_path / name for name in ("whole", "killed")]
    for run, place in zip(
        runs, (None, ["objbench.engine.training.checkpoint_files.save_file", calls]), strict=True
    ):
        run.mkdir()
        process = trainers.start(run, run / "result.json", die_at=place, **options)
        assert trainers.wait(process) == (0 if place is None else KILLED)
    assert trainers.wait(trainers.start(runs[1], runs[1] / "result.json", **options)) == 0
    left, right = (json.loads((run / "result.json").read_text()) for run in runs)
    for key in ("losses", "heldout", "encoders"):
        assert left[key] == right[key]
    for encoder in left["encoders"]:
        one, two = (weights(run, encoder) for run in runs)
        assert all(torch.equal(one[name], two[name]) for name in one)
