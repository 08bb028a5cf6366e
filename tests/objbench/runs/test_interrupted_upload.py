"""A machine that is killed while it puts a checkpoint into a store goes on from that checkpoint."""

from __future__ import annotations

import pytest
from memory_objects import memory_objects

from objbench.results.object_store import ObjectStore
from objbench.results.run_folder import RunFolder
from objbench.results.training_log import read_training_log

STORED = 5


class Killed(BaseException):
    """Ends everything, as a kill would."""


def test_it_goes_on_from_its_own(make_study, run, tmp_path, monkeypatch, capsys):
    study = make_study(
        objectives=["mlm"],
        seeds=[0],
        budget="12-steps",
        training={"batch": 4, "learning_rate": 1e-3, "log_every": 1, "checkpoint_every": 0},
        evaluation={"suites": [], "points": 2, "heldout_batches": 1},
    )
    assert run(study, tmp_path / "whole").complete
    store, plain = memory_objects(tmp_path.name), ObjectStore.upload

    def upload(store, path, name):
        if name.startswith("checkpoints/") and f"/step-{STORED + 1}/" in name:
            raise Killed
        plain(store, path, name)

    monkeypatch.setattr(ObjectStore, "upload", upload)
    with pytest.raises(Killed):
        run(study, tmp_path / "own", store=store)
    monkeypatch.undo()
    capsys.readouterr()
    assert run(study, tmp_path / "own", store=store).complete
    assert f"continuing from step {STORED + 1}" in capsys.readouterr().err
    own, whole = (
        folder.with_log(record)
        for folder in (RunFolder(tmp_path / "own", store), RunFolder(tmp_path / "whole"))
        for record in folder.read_records()
    )
    assert [point.loss for point in own.log] == [point.loss for point in whole.log]
    (lines,) = map(read_training_log, tmp_path.glob("own/logs/*.jsonl"))
    assert len({line.done for line in lines}) == 12
    assert not store.list("checkpoints")
