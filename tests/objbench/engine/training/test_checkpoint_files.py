"""Checkpoints come back bit for bit, or say which folder is damaged and what to do."""

from __future__ import annotations

import shutil

import pytest
import torch

from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    read_checkpoint,
    remove_unfinished_steps,
    write_checkpoint,
)
from objbench.errors import CheckpointError


def checkpoint(step: int = 3) -> Checkpoint:
    matrix = torch.randn(4, 3)
    tensors = {"weights": {"a": matrix, "b": matrix, "c": matrix[1:].T}, "empty": {}}
    return Checkpoint(step=step, tensors=tensors, state={"seconds": 0.1, "log": [{"x": 1e-7}]})


def test_round_trip(tmp_path):
    stored = checkpoint()
    assert read_checkpoint(tmp_path / "none", "key") is None
    write_checkpoint(tmp_path, "key", stored)
    read = read_checkpoint(tmp_path, "key")
    assert read is not None and (read.step, read.state) == (3, stored.state)
    for name, tensor in stored.tensors["weights"].items():
        assert torch.equal(read.tensors["weights"][name], tensor)
    assert read.tensors["empty"] == {}


def test_the_latest_replaces_the_one_before(tmp_path):
    for step in (3, 20, 100):
        write_checkpoint(tmp_path, "key", checkpoint(step))
        assert [path.name for path in tmp_path.iterdir()] == [f"step-{step}"]
    # Killed between the rename and the removal: both are there, the later one counts.
    shutil.copytree(tmp_path / "step-100", tmp_path / "step-20")
    assert read_checkpoint(tmp_path, "key").step == 100


def test_a_write_that_fails_keeps_the_one_before(tmp_path):
    write_checkpoint(tmp_path, "key", checkpoint(3))
    with pytest.raises(ValueError):
        write_checkpoint(tmp_path, "key", Checkpoint(5, {}, {"loss": float("nan")}))
    assert [path.name for path in tmp_path.iterdir()] == ["step-3"]
    assert read_checkpoint(tmp_path, "key").step == 3


def test_leftovers_of_a_kill_are_ignored_and_removed(tmp_path):
    write_checkpoint(tmp_path, "key", checkpoint(3))
    (tmp_path / ".step-9.abc").mkdir()
    (tmp_path / ".step-9.abc" / "weights.safetensors").write_bytes(b"half")
    assert read_checkpoint(tmp_path, "key").step == 3
    remove_unfinished_steps(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-3"]


@pytest.mark.parametrize("name", ["weights.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "empty"])
def test_damage_is_named(tmp_path, name, damage):
    write_checkpoint(tmp_path, "key", checkpoint())
    path = tmp_path / "step-3" / name
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"step-3 is corrupted.*delete that folder") as caught:
        read_checkpoint(tmp_path, "key")
    assert "\n" not in str(caught.value)


def test_another_cells_checkpoint_is_refused(tmp_path):
    write_checkpoint(tmp_path, "key", checkpoint())
    with pytest.raises(CheckpointError, match="belongs to another cell"):
        read_checkpoint(tmp_path, "another key")
