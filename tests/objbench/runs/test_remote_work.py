"""Workers on machines that share nothing but an object store, one of which is lost in the middle."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
import torch

from objbench.cli.run_place import run_place
from objbench.results.object_store import ObjectStore
from objbench.results.run_folder import RunFolder
from objbench.results.training_log import read_training_log
from objbench.runs.executors.place import Place
from objbench.runs.work import work

STEPS, POINT, LOST = 24, 12, 15
# What a run took, and not what it computed.
_TIMES = {"provenance", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}


def numbers(value):
    """A record's content without what depends on the clock and the machine."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TIMES}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(folder):
    return {r.id: numbers(r.model_dump(mode="json")) for r in folder.read_records()}


@pytest.fixture
def small(make_study):
    return make_study(
        objectives=["mlm"],
        seeds=[0],
        budget=f"{STEPS}-steps",
        training={"batch": 4, "learning_rate": 1e-3, "log_every": 1, "checkpoint_every": 0},
        evaluation={"suites": ["heldout"], "points": 2, "heldout_batches": 1},
    )


@pytest.fixture
def wanted(small, run, tmp_path):
    """The records of one process, with the threads of a worker that runs one cell."""
    before = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    assert run(small, tmp_path / "whole").complete
    torch.set_num_threads(before)
    return content(RunFolder(tmp_path / "whole"))


def wait_until(found, driver):
    deadline = time.monotonic() + 600
    while not found():
        assert driver.is_alive() and time.monotonic() < deadline
        time.sleep(0.02)


def newest(store):
    """The step of the latest checkpoint in the store; 0 where there is none."""
    for name in store.list("checkpoints"):
        if name.endswith("/latest"):
            kept = json.loads(store.read(name))["kept"]
            return int(kept[-1]["name"].removeprefix("step-")) if kept else 0
    return 0


@pytest.mark.slow
def test_a_second_machine_finishes_what_the_first_began(
    bucket, small, wanted, run, trainers, tmp_path
):
    store = ObjectStore(f"{bucket}/studies/shared")
    ends = []
    planner = {"store": store, "jobs": None, "place": Place("workers")}
    driver = threading.Thread(
        target=lambda: ends.append(run(small, tmp_path / "planner", **planner)), daemon=True
    )
    driver.start()
    folder = RunFolder(tmp_path / "planner", store)
    wait_until(lambda: folder.has_plan() and folder.read_worker_terms(), driver)

    words = ["work", "--run", store.url, "--device", "cpu", "--jobs", "1"]
    first = [*words, "--cache", str(tmp_path / "first")]
    keys = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    log = tmp_path / "first.txt"
    process = trainers._ask({"command": [first, str(log), 0, 0, 0.0], "env": keys})
    wait_until(lambda: newest(store) >= LOST, driver)
    os.kill(process, signal.SIGKILL)
    assert trainers.wait(process) == signal.SIGKILL, log.read_text()
    assert store.list("leases")

    second = run_place(store, tmp_path / "second", is_copied=False)
    assert not second.folder.exists()
    end = work(
        second.folder, store=store, cache=tmp_path / "second", jobs=1, device="cpu", stale=2.0
    )
    driver.join()
    assert not end.failures and ends[0].complete
    assert content(folder) == wanted
    (trained,) = (record.id for record in folder.read_records() if record.kind == "pretrain")
    assert trained in {outcome.id for outcome in end.ran}
    # It went on from a step of the first machine, and evaluated an encoder that it did not train.
    (lines,) = map(read_training_log, second.folder.glob("logs/*.jsonl"))
    assert lines[0].done > LOST > POINT
    assert len(list(second.folder.glob(f"encoders/*/step-{POINT}"))) == 1
    assert not store.list("leases") and not store.list("checkpoints")
