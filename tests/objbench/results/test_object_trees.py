"""A sealed folder goes into an object store whole, and comes back whole or not at all."""

from __future__ import annotations

import json

import pytest
from memory_objects import memory_objects

from objbench.errors import RecordError
from objbench.results.object_trees import fetch_tree, put_tree
from objbench.results.sealed_folder import seal


@pytest.fixture
def store(tmp_path):
    return memory_objects(tmp_path.name)


def made(folder, weights="weights"):
    (folder / "below").mkdir(parents=True)
    (folder / "model").write_text(weights)
    (folder / "below" / "words").write_text("words")
    return seal(folder)


def test_a_folder_comes_back_as_it_was(store, tmp_path):
    digest = made(tmp_path / "made")
    put_tree(store, "encoders/one/step-2", tmp_path / "made", digest)
    names = store.list("encoders")
    assert names == [
        f"encoders/one/step-2/{digest}/{name}" for name in ("below/words", "digests.json", "model")
    ]
    put_tree(store, "encoders/one/step-2", tmp_path / "made", digest)
    for _ in range(2):
        fetch_tree(store, "encoders/one/step-2", tmp_path / "there" / "step-2", digest)
    assert (tmp_path / "there" / "step-2" / "below" / "words").read_text() == "words"
    (tmp_path / "there" / "step-2" / "model").write_text("other")
    fetch_tree(store, "encoders/one/step-2", tmp_path / "there" / "step-2", digest)
    assert (tmp_path / "there" / "step-2" / "model").read_text() == "weights"


def test_two_that_made_the_same_folder_do_not_mix_it(store, tmp_path):
    digests = {}
    for who in ("one", "two"):
        digests[who] = made(tmp_path / who, weights=who)
        put_tree(store, "step-2", tmp_path / who, digests[who])
    for who, digest in digests.items():
        fetch_tree(store, "step-2", tmp_path / "fetched", digest)
        assert (tmp_path / "fetched" / "model").read_text() == who


def test_what_was_not_put_whole_is_not_there(store, tmp_path):
    digest = made(tmp_path / "made")
    store.upload(tmp_path / "made" / "model", f"step-2/{digest}/model")
    with pytest.raises(RecordError, match=r"step-2/.* is gone: .*digests\.json"):
        fetch_tree(store, "step-2", tmp_path / "fetched", digest)
    put_tree(store, "step-2", tmp_path / "made", digest)
    store.delete(f"step-2/{digest}/below/words")
    with pytest.raises(RecordError, match=r"is gone: .*below/words"):
        fetch_tree(store, "step-2", tmp_path / "fetched", digest)
    assert not (tmp_path / "fetched").exists()


def test_a_damaged_folder_is_neither_put_nor_fetched(store, tmp_path):
    digest = made(tmp_path / "made")
    (tmp_path / "made" / "model").write_text("other")
    with pytest.raises(RecordError, match="cannot be stored: model is not what was written"):
        put_tree(store, "step-2", tmp_path / "made", digest)
    assert store.list("") == []
    digest = made(tmp_path / "whole")
    put_tree(store, "step-2", tmp_path / "whole", digest)
    store.write(f"step-2/{digest}/model", b"other")
    with pytest.raises(RecordError, match=r"is damaged .model is not what was written"):
        fetch_tree(store, "step-2", tmp_path / "fetched", digest)
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "below/../../escaped"])
def test_no_file_of_a_strangers_folder_leaves_it(store, tmp_path, name):
    store.write("step-2/d/digests.json", json.dumps({"files": {name: "0" * 64}}).encode())
    store.write("step-2/escaped", b"escaped")
    with pytest.raises((RecordError, OSError)):
        fetch_tree(store, "step-2", tmp_path / "fetched", "d")
    assert not [path for path in tmp_path.rglob("*escaped*")]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": 3}', '{"files": {"digests.json": "0"}}']
)
def test_a_strangers_seal_that_is_none_is_refused(store, tmp_path, text):
    store.write("step-2/d/digests.json", text.encode())
    with pytest.raises(RecordError, match="is damaged"):
        fetch_tree(store, "step-2", tmp_path / "fetched", "d")
