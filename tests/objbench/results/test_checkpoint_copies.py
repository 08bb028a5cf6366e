"""Checkpoints in an object store: another machine goes on from them, and the one before cannot."""

from __future__ import annotations

import itertools
import json

import pytest
from memory_objects import memory_objects

from objbench.errors import CheckpointError, StorageError
from objbench.results.checkpoint_copies import CheckpointCopies
from objbench.results.fence import LeaseLost, fenced
from objbench.results.object_store import ObjectStore
from objbench.results.sealed_folder import seal
from objbench.results.store import Moved
from objbench.results.training_points import ExportedPoint, Meters

NAME = "checkpoints/mlm.abc"
_numbers = itertools.count()


@pytest.fixture
def store():
    return memory_objects(f"copies-{next(_numbers)}")


def machine(store, folder):
    folder.mkdir(exist_ok=True)
    return CheckpointCopies(store, NAME, folder / "checkpoints", lambda point: folder / "encoder")


def written(folder, step, content=b"weights"):
    path = folder / "checkpoints" / f"step-{step}"
    path.mkdir(parents=True)
    (path / "tensors.safetensors").write_bytes(content + b" of %d" % step)
    (path / "state.json").write_bytes(b"state of %d" % step)
    return path


def is_whole(path):
    """Stands for what the engine says of a checkpoint."""
    tensors = path / "tensors.safetensors"
    return tensors.is_file() and b"torn" not in tensors.read_bytes()


def here(folder):
    return sorted(path.name for path in (folder / "checkpoints").glob("step-*"))


def steps(store):
    return [one["name"] for one in json.loads(store.read(f"{NAME}/latest"))["kept"]]


def put(copies, folder, *numbers):
    for step in numbers:
        copies.put(written(folder, step), [])


def test_another_machine_gets_the_last(store, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first = machine(store, one)
    first.begin(is_whole)
    put(first, one, 1, 2, 3)
    assert steps(store) == ["step-2", "step-3"]
    assert not [name for name in store.list(NAME) if "/step-1/" in name]
    second = machine(store, other)
    # What it had of another time is not what the store has.
    written(other, 3, b"others")
    second.begin(is_whole)
    # The one before is not worth its way here.
    assert here(other) == ["step-3"]
    for name in ("tensors.safetensors", "state.json"):
        place = f"checkpoints/step-3/{name}"
        assert (other / place).read_bytes() == (one / place).read_bytes()
    second.remove()
    assert store.list("") == []


def test_a_machine_goes_on_from_what_it_could_not_put_any_more(store, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first = machine(store, one)
    first.begin(is_whole)
    put(first, one, 1, 2)
    # It is killed on the way of the third into the store.
    content = (written(one, 10) / "tensors.safetensors").read_bytes()
    first = machine(store, one)
    first.begin(is_whole)
    assert here(one) == ["step-1", "step-10", "step-2"]
    assert (one / "checkpoints/step-10/tensors.safetensors").read_bytes() == content
    second = machine(store, other)
    second.begin(is_whole)
    assert here(other) == ["step-2"]
    put(second, other, 11)
    machine(store, one).begin(is_whole)
    assert "step-11" in here(one)


def test_a_later_one_here_that_is_torn_does_not_keep_the_store_s_away(store, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first = machine(store, one)
    first.begin(is_whole)
    put(first, one, 1, 2)
    written(other, 3, b"torn")
    written(other, 1)
    machine(store, other).begin(is_whole)
    assert here(other) == ["step-1", "step-2", "step-3"]


def test_a_folder_is_left_alone_where_the_store_has_nothing(store, tmp_path):
    written(tmp_path, 5)
    machine(store, tmp_path).begin(is_whole)
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-5"]


def test_whoever_was_taken_over_moves_no_pointer(store, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first, second = machine(store, one), machine(store, other)
    first.begin(is_whole)
    put(first, one, 1)
    second.begin(is_whole)
    # It was stopped before it could hear that its lease is lost.
    with fenced(lambda: None), pytest.raises(LeaseLost, match="taken over"):
        put(first, one, 2)
    assert steps(store) == ["step-1"]
    put(second, other, 4)
    with pytest.raises(StorageError, match="another objbench trains"):
        put(first, one, 3)
    assert steps(store) == ["step-1", "step-4"]
    # And where the cell has its record by now, none comes back.
    second.remove()
    with fenced(lambda: None), pytest.raises(LeaseLost):
        put(first, one, 5)
    assert f"{NAME}/latest" not in store.list("")


def test_a_lost_lease_stores_nothing_at_all(store, tmp_path):
    copies = machine(store, tmp_path)
    copies.begin(is_whole)

    def lost():
        raise LeaseLost("taken over")

    before = store.list("")
    with fenced(lost), pytest.raises(LeaseLost):
        put(copies, tmp_path, 1)
    assert store.list("") == before


class Deaf(ObjectStore):
    """Does what it is asked, and its answer is lost."""

    def swap(self, name, content, seen):
        super().swap(name, content, seen)
        raise Moved(name)


def test_a_swap_whose_answer_is_lost_counts(tmp_path):
    store = memory_objects(f"copies-{next(_numbers)}", Deaf)
    copies = machine(store, tmp_path)
    copies.begin(is_whole)
    put(copies, tmp_path, 1, 2)
    assert steps(store) == ["step-1", "step-2"]


def test_what_is_damaged_here_is_fetched_and_there_is_passed_over(store, tmp_path):
    copies = machine(store, tmp_path)
    copies.begin(is_whole)
    put(copies, tmp_path, 1, 2)
    file = tmp_path / "checkpoints/step-2/tensors.safetensors"
    content = file.read_bytes()
    file.write_bytes(b"flipped")
    machine(store, tmp_path).begin(is_whole)
    assert file.read_bytes() == content
    damage = [name for name in store.list(NAME) if name.endswith("tensors.safetensors")]
    store.write(next(name for name in damage if "step-2" in name), b"flipped")
    machine(store, tmp_path / "other").begin(is_whole)
    assert here(tmp_path / "other") == ["step-1"]
    for name in damage:
        store.delete(name)
    with pytest.raises(
        CheckpointError, match=r"is gone.*delete .*checkpoints/mlm.abc and .* to st"
    ):
        machine(store, tmp_path / "third").begin(is_whole)


def test_one_that_was_stored_damaged_is_passed_over(store, tmp_path):
    """The seal is of what the disk has; what it should have had only the checkpoint itself says."""
    copies = machine(store, tmp_path)
    copies.begin(is_whole)
    put(copies, tmp_path, 1)
    copies.put(written(tmp_path, 2, b"torn"), [])
    other = machine(store, tmp_path / "other")
    other.begin(is_whole)
    assert here(tmp_path / "other") == ["step-1", "step-2"]
    with pytest.raises(CheckpointError, match=r"no checkpoint in memory.* is whole; delete"):
        other.begin(lambda path: False)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"writer": "a", "kept": [{"name": "../x"}]}'])
def test_a_pointer_of_another_kind_is_named(store, tmp_path, content):
    store.write(f"{NAME}/latest", content)
    with pytest.raises(CheckpointError, match="latest is malformed: delete it"):
        machine(store, tmp_path).begin(is_whole)


def test_encoders_are_there_before_the_checkpoint_that_follows_them(store, tmp_path):
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "model.safetensors").write_bytes(b"weights")
    digest = seal(tmp_path / "encoder")
    point = ExportedPoint(
        meters=Meters(steps=1, tokens=1, flops=1.0, seconds=1.0),
        share=0.5,
        encoder="encoders/mlm.abc/step-1",
        heldout={"loss": 1.0},
        digest=digest,
    )
    copies = machine(store, tmp_path)
    copies.begin(is_whole)
    gone = point.model_copy(update={"digest": "0" * 64})
    with pytest.raises(Exception, match="replaced by another"):
        copies.put(written(tmp_path, 1), [gone])
    assert steps(store) == []
    copies.put(written(tmp_path, 2), [point])
    assert store.exists(f"{point.encoder}/{digest}/model.safetensors")
    assert steps(store) == ["step-2"]
