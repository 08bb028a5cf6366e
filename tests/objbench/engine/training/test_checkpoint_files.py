"""Checkpoints come back bit for bit, or say which folder is damaged and what to do."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file

from objbench.engine.training.checkpoint_files import (
    Checkpoint,
    is_checkpoint,
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


def test_the_latest_counts(tmp_path):
    for step in (3, 100, 20):
        write_checkpoint(tmp_path, "key", checkpoint(step))
    assert read_checkpoint(tmp_path, "key").step == 100


def test_types_and_shapes_come_back(tmp_path):
    tensors = {
        "half": torch.randn(3).bfloat16(),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 4),
        "counts": torch.tensor([[2**62, -1]]),
        "not/a/number": torch.tensor([float("nan"), -0.0], dtype=torch.float64),
    }
    write_checkpoint(tmp_path, "key", Checkpoint(1, {"group": tensors}, {}))
    read = read_checkpoint(tmp_path, "key").tensors["group"]
    assert set(read) == set(tensors)
    for name, tensor in tensors.items():
        assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
        # As bytes: what is not a number equals nothing.
        left, right = (one.reshape(-1).view(torch.uint8) for one in (read[name], tensor))
        assert torch.equal(left, right)


def test_a_checkpoint_of_the_older_form_is_read(tmp_path):
    stored = checkpoint(7)
    (folder := tmp_path / "step-7").mkdir()
    files = {}
    for group, tensors in stored.tensors.items():
        whole = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
        save_file(whole, path := folder / f"{group}.safetensors")
        files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    text = json.dumps({"key": "key", "step": 7, "files": files, "state": stored.state})
    whole = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "body": text}
    (folder / "state.json").write_text(json.dumps(whole))
    read = read_checkpoint(tmp_path, "key")
    assert (read.step, read.state, read.tensors["empty"]) == (7, stored.state, {})
    for name, tensor in stored.tensors["weights"].items():
        assert torch.equal(read.tensors["weights"][name], tensor)
    (folder / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"weights.safetensors does not match"):
        read_checkpoint(tmp_path, "key")


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


def damaged(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "empty"])
def test_where_the_latest_is_damaged_the_one_before_is_read(tmp_path, caplog, name, damage):
    for step in (3, 5):
        write_checkpoint(tmp_path, "key", checkpoint(step))
    assert is_checkpoint(tmp_path / "step-5", "key")
    damaged(tmp_path / "step-5" / name, damage)
    assert not is_checkpoint(tmp_path / "step-5", "key")
    assert read_checkpoint(tmp_path, "key").step == 3
    assert "step-5 is corrupted" in caplog.text
    assert "continuing from the one before, step-3" in caplog.text
    damaged(tmp_path / "step-3" / name, damage)
    with pytest.raises(CheckpointError, match=r"step-5 is corrupted.*delete that folder") as caught:
        read_checkpoint(tmp_path, "key")
    assert "\n" not in str(caught.value)


def test_another_cells_checkpoint_is_refused(tmp_path):
    write_checkpoint(tmp_path, "key", checkpoint())
    with pytest.raises(CheckpointError, match="belongs to another cell"):
        read_checkpoint(tmp_path, "another key")
    assert not is_checkpoint(tmp_path / "step-3", "another key")
