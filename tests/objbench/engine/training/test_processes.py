"""Two processes on one machine compute what one process computes."""

from __future__ import annotations

import json
import socket

import pytest
import torch

OPTIONS = {
    "steps": 12,
    "export_steps": [6, 12],
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "log_every": 1,
    "checkpoint_every": 1e9,
    "objective": "tiny-both",
}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def train_on_two(trainers, run, **options) -> list[int]:
    """Exit statuses of two processes with the environment that accelerate and torchrun set."""
    port = str(free_port())
    started = []
    for rank in ("0", "1"):
        env = {
            "RANK": rank,
            "LOCAL_RANK": rank,
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
        }
        started.append(trainers.start(run, run / "result.json", env=env, **options))
    return [trainers.wait(process) for process in started]


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_two_processes_are_one(trainers, tmp_path, weights, micro_batches):
    options = {**OPTIONS, "micro_batches": micro_batches}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    result = tmp_path / "one" / "result.json"
    # The one process computes every batch as a whole.
    assert trainers.wait(trainers.start(tmp_path / "one", result, **OPTIONS)) == 0
    assert train_on_two(trainers, tmp_path / "two", **options) == [0, 0]
    one, two = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("one", "two"))
    for left, right in zip(one["losses"], two["losses"], strict=True):
        assert left[0] == right[0]
        assert right[1] == pytest.approx(left[1], rel=2e-6)
        assert right[2] == pytest.approx(left[2], rel=2e-5)
    for left, right in zip(one["heldout"], two["heldout"], strict=True):
        assert right == pytest.approx(left, rel=2e-5)
    for left, right in zip(one["common"], two["common"], strict=True):
        assert right == pytest.approx(left, rel=2e-5, abs=2e-5)
    assert two["tokens"] == one["tokens"]
    assert two["flops"] == pytest.approx(one["flops"])
    final = one["encoders"][-1]
    left, right = weights(tmp_path / "one", final), weights(tmp_path / "two", final)
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-3, atol=1e-4)


def test_state_beside_the_weights_is_that_of_the_whole_batch(trainers, tmp_path):
    """Later masks depend on what both processes have counted."""
    options = {**OPTIONS, "objective": "adaptive", "rate": 0.3, "window": 2}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    result = tmp_path / "one" / "result.json"
    assert trainers.wait(trainers.start(tmp_path / "one", result, **options)) == 0
    assert train_on_two(trainers, tmp_path / "two", micro_batches=2, **options) == [0, 0]
    one, two = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("one", "two"))
    for left, right in zip(one["losses"], two["losses"], strict=True):
        assert right[2] == pytest.approx(left[2], rel=2e-5)
    assert two["heldout"] == [pytest.approx(left, rel=2e-5) for left in one["heldout"]]


def test_two_processes_resume(trainers, tmp_path, weights):
    options = {**OPTIONS, "log_every": 5, "hidden_dropout_prob": 0.1}
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    assert train_on_two(trainers, tmp_path / "whole", **options) == [0, 0]
    deadly = {
        "die_at": ["objbench.engine.training.reported_progress.clock_time", 1],
        "checkpoint_every": 0,
    }
    statuses = train_on_two(trainers, tmp_path / "cut", **{**options, **deadly})
    assert statuses[0] == 9
    assert train_on_two(trainers, tmp_path / "cut", **options) == [0, 0]
    one, two = (json.loads((tmp_path / n / "result.json").read_text()) for n in ("whole", "cut"))
    assert one["losses"] == two["losses"]
    final = one["encoders"][-1]
    left, right = weights(tmp_path / "whole", final), weights(tmp_path / "cut", final)
    assert all(torch.equal(left[name], right[name]) for name in left)
