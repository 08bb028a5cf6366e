"""A record is stored without its log, which is found again as long as it is the one that it had."""

from __future__ import annotations

import json

import pytest
from memory_objects import memory_objects
from memory_store import MemoryStore

from objbench.errors import RecordError
from objbench.results.json_files import sealed
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.published_study import read_published, write_published
from objbench.results.remote_run import copy_run
from objbench.results.run_folder import RunFolder
from objbench.results.run_records import RunRecords
from objbench.results.training_points import LogApart, LoggedPoint, Meters

RUN = "mlm.seed-1"


@pytest.fixture(params=["folder", "memory"])
def run(request, tmp_path):
    folder = tmp_path / "run"
    return RunFolder(folder, LocalStore(folder) if request.param == "folder" else MemoryStore())


def logged(steps):
    meters = Meters(steps=steps, tokens=10 * steps, flops=3.0 * steps, seconds=0.5 * steps)
    return LoggedPoint(meters=meters, loss=9.0 / steps, terms={"mlm": 1.0}, learning_rate=0.1)


@pytest.fixture
def study(make_study):
    study = make_study(points=1, trials=1)
    study.change(RUN, log=[logged(steps) for steps in range(1, 300)])
    study.change("mlm.trial-0", log=[logged(1), logged(7)])
    return study


@pytest.fixture
def stored(run, study):
    """The run with every record of the study, and its store."""
    run.write_plan(study.plan)
    for record in study.records.values():
        assert run.write_record(record) is record
    return run


def test_a_record_comes_without_its_log_and_gets_it_back(stored, study):
    cell = next(cell for cell in study.plan.cells if cell.id == RUN)
    found = stored.read_record(cell)
    assert isinstance(found.log, LogApart) and found.log.points == 299 and not found.logged
    assert found == study.records[RUN].model_copy(update={"log": found.log})
    assert {r.id: r for r in map(stored.with_log, stored.read_records())} == study.records
    (name,) = stored.store.list("records/pretrain")[:1]
    assert len(stored.store.read(name)) < 0.1 * sum(
        len(stored.store.read(name)) for name in stored.store.list("losses")
    )


def test_a_record_without_a_log_leaves_no_file(run, make_study):
    study = make_study(points=1)
    for record in study.records.values():
        run.write_record(record)
    assert not run.store.list("losses")
    assert [*map(run.with_log, run.read_records())] == run.read_records()


def test_the_log_is_there_before_the_record(run, study, monkeypatch):
    plain = type(run.store).put_once

    def put_once(store, name, content):
        assert store.list("losses")
        return plain(store, name, content)

    monkeypatch.setattr(type(run.store), "put_once", put_once)
    run.write_record(study.records[RUN])


def test_whoever_is_second_leaves_the_losses_of_the_first(stored, study):
    other = [study.records[RUN].log[0]]
    first = stored.write_record(study.records[RUN].model_copy(update={"log": other}))
    assert stored.with_log(first) == study.records[RUN]


def test_a_record_of_an_earlier_version_has_its_log_with_it(run, study):
    record = study.records[RUN]
    run.write_record(record.model_copy(update={"log": []}))
    (name,) = run.store.list("records/pretrain")
    fields = json.loads(run.store.read(name))
    del fields["sha256"]
    log = [point.model_dump(mode="json") for point in record.log]
    run.store.write(name, json.dumps(fields | {"log": log}).encode())
    (found,) = run.read_records()
    assert found == run.with_log(found) == record


def test_a_study_is_published_with_its_logs(stored, study, tmp_path):
    with pytest.raises(TypeError, match="comes without its log"):
        write_published(tmp_path / "published", study.plan, stored.read_records())
    write_published(tmp_path / "published", study.plan, map(stored.with_log, stored.read_records()))
    assert {r.id: r for r in read_published(tmp_path / "published")} == study.records


def test_logs_go_with_the_records(stored):
    others = ["losses/mlm.seed-1.json", "losses/plots/mlm.png"]
    for name in others:
        stored.store.write(name, b"of somebody else, in a folder that a page is published in")
    stored.remove_records()
    assert stored.store.list("losses") == others


class WorkedOn(ObjectStore):
    """A store in which a run ends between the answers that make up one listing: a page of names each."""

    end = None

    def list(self, folder):
        if folder or WorkedOn.end is None:
            return super().list(folder)
        end, WorkedOn.end = WorkedOn.end, None
        first = [name for name in super().list("") if name.startswith("losses/")]
        end()
        return first + [name for name in super().list("") if not name.startswith("losses/")]


def test_logs_are_copied_for_whoever_publishes_them(study, tmp_path):
    store = memory_objects(tmp_path.name, WorkedOn)
    run = RunRecords(store)
    last = study.records.pop(RUN)
    for record in study.records.values():
        run.write_record(record)
    copy_run(store, tmp_path / "page")
    copied = RunFolder(tmp_path / "page")
    assert len(copied.read_records()) == len(study.records)
    assert not copied.store.list("losses")
    WorkedOn.end = lambda: run.write_record(last)
    copy_run(store, tmp_path / "page", logs=True)
    found = {record.id: copied.with_log(record) for record in copied.read_records()}
    assert found == study.records | {RUN: last}


def resealed(text, **changes):
    fields = json.loads(text) | changes
    del fields["sha256"]
    return json.dumps(sealed(fields)).encode()


def with_loss(text, loss):
    first, *others = json.loads(text)["log"]
    return resealed(text, log=[first | {"loss": loss}, *others])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: None, "cannot be read: "),
        (lambda text: text[:-9], "is corrupted or of another version"),
        (lambda text: b"", "is corrupted or of another version"),
        (lambda text: text.replace(b'"loss": 9.0', b'"loss": 8.0'), "its SHA-256 does not match"),
        (lambda text: with_loss(text, 8.0), "is not the log that the record has"),
        (lambda text: with_loss(text, "low"), "is corrupted or of another version"),
        (lambda text: resealed(text, id="mlm.seed-2"), "is not the log that the record has"),
        (lambda text: resealed(text, key="abc"), "is not the log that the record has"),
        (lambda text: resealed(text, kind="trial"), "is not the log that the record has"),
        (lambda text: resealed(text, log=[]), "is not the log that the record has"),
    ],
)
def test_a_log_that_is_not_what_was_stored_is_no_log(stored, study, edit, message):
    (name,) = (n for n in stored.store.list("losses") if RUN in n)
    content = edit(stored.store.read(name))
    if content is None:
        stored.store.delete(name)
    else:
        stored.store.write(name, content)
    record = next(r for r in stored.read_records() if r.id == RUN)  # A page can be made.
    with pytest.raises(RecordError, match=message) as caught:
        stored.with_log(record)
    said = str(caught.value)
    assert said.startswith(stored.store.where(name)) and "\n" not in said
    assert said.endswith("; delete the record of pretrain mlm.seed-1 and run the study again")
    # And so it is made again.
    stored.store.delete(next(n for n in stored.store.list("records/pretrain") if RUN in n))
    stored.write_record(study.records[RUN])
    assert stored.with_log(record) == study.records[RUN]


def test_records_of_one_cell_are_equal_however_long_it_took(stored, study):
    """The digest of the log is part of the record."""
    record = study.records[RUN]
    slower = [
        point.model_copy(update={"meters": point.meters.model_copy(update={"seconds": 1e6})})
        for point in record.log
    ]
    other = [record.log[0].model_copy(update={"loss": 8.0}), *record.log[1:]]
    found = {}
    for name, log in (("slower", slower), ("other", other)):
        run = RunFolder(stored.path / name, MemoryStore())
        run.write_record(record.model_copy(update={"log": log}))
        (found[name],) = run.read_records()
        assert run.with_log(found[name]).log == log
    (first,) = (r for r in stored.read_records() if r.id == RUN)
    assert found["slower"] == first != found["other"]
