"""Each record is written once, whoever writes; failed attempts stay beside each other."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_objects import memory_objects
from memory_store import Killed, KilledStore, MemoryStore

from objbench.results import local_store
from objbench.results.json_files import dump_sealed
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.record_files import RecordFiles
from objbench.results.record_names import (
    FINAL,
    attempt_name,
    last_attempts,
    older_name,
    parsed_record_name,
    record_name,
    stem_of,
)


@pytest.fixture(params=["folder", "memory", "objects", "server"])
def store(request, tmp_path):
    if request.param == "folder":
        return LocalStore(tmp_path / "run")
    if request.param == "memory":
        return MemoryStore()
    if request.param == "objects":
        return memory_objects(tmp_path.name)
    return ObjectStore(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


@pytest.fixture
def study(make_study):
    return make_study()


def ended(record, status, by="somebody"):
    made = record.provenance.model_copy(update={"command": by})
    return record.model_copy(update={"status": status, "provenance": made})


def test_the_first_of_two_writers_wins_and_the_second_is_given_its_record(store, study):
    cell = study.plan.cells[0]
    record = study.records[cell.id]
    mine, theirs = RecordFiles(store), RecordFiles(store)
    first = ended(record, "ok", "the first")
    assert mine.write(first) is first
    for status in ("ok", "diverged"):
        assert theirs.write(ended(record, status, "the second")) == first
    assert mine.read_all() == [mine.read(cell)] == [first]
    assert store.list("records") == [record_name(stem_of(cell), "ok")]
    assert not store.list("attempts")


def test_of_many_writers_at_once_one_wins(study, tmp_path):
    store = LocalStore(tmp_path)
    cells = study.plan.cells[:5]
    writers = [f"writer {number}" for number in range(6)]

    def write(by):
        files = RecordFiles(store)
        return [files.write(ended(study.records[cell.id], "ok", by)) for cell in cells]

    with ThreadPoolExecutor(len(writers)) as pool:
        found = list(pool.map(write, writers))
    for place, cell in enumerate(cells):
        stored = RecordFiles(store).read(cell)
        assert all(records[place] == stored for records in found)
    assert len(store.list("records")) == len(cells)


def test_a_failed_attempt_is_no_record_and_a_retry_overwrites_nothing(store, study):
    cell, other = study.plan.cells[:2]
    files, record = RecordFiles(store), study.records[cell.id]
    assert files.statuses([cell]) == {}
    for by in ("one", "two"):
        files.write(ended(record, "failed", by))
    stem = stem_of(cell)
    assert store.list("attempts") == [attempt_name(stem, 1), attempt_name(stem, 2)]
    assert not store.list("records")
    assert files.statuses([cell, other]) == {cell.id: "failed"}
    assert files.read(cell) == ended(record, "failed", "two")
    before = {name: store.read(name) for name in store.list("attempts")}

    files.set_failures_aside([cell, other])
    files.set_failures_aside([cell, other])
    assert (files.statuses([cell]), files.read(cell), files.read_all()) == ({}, None, [])
    files.write(ended(record, "failed", "three"))
    assert files.read(cell).provenance.command == "three"
    files.write(ended(record, "ok", "four"))
    files.write(ended(record, "failed", "a late one"))
    assert files.statuses([cell]) == {cell.id: "ok"}
    assert files.read_all() == [files.read(cell)] == [ended(record, "ok", "four")]
    assert {name: store.read(name) for name in before} == before

    assert files.has_any()
    files.remove_all()
    assert not files.has_any()


def older(store, record):
    """Store a record as versions did that wrote the status into the file alone."""
    store.write(older_name(stem_of(record)), dump_sealed(record).encode())


def test_a_folder_of_an_earlier_version_is_read_and_continued(store, study):
    cells = study.plan.cells[:4]
    ok, failed, diverged, missing = (study.records[cell.id] for cell in cells)
    files = RecordFiles(store)
    for record, status in ((ok, "ok"), (failed, "failed"), (diverged, "diverged")):
        older(store, ended(record, status))
    before = {name: store.read(name) for name in store.list("records")}
    statuses = {
        cell.id: status for cell, status in zip(cells, ("ok", "failed", "diverged"), strict=False)
    }
    assert files.statuses(cells) == statuses
    assert {one.id: one.status for one in files.read_all()} == statuses
    assert [files.read(cell) is not None for cell in cells] == [True, True, True, False]
    # What is finished stays finished.
    assert files.write(ended(ok, "diverged", "again")) == ended(ok, "ok")

    files.set_failures_aside(cells)
    del statuses[cells[1].id]
    assert files.statuses(cells) == statuses == {one.id: one.status for one in files.read_all()}
    assert files.read(cells[1]) is None
    files.write(ended(failed, "failed", "again"))
    assert files.read(cells[1]).provenance.command == "again"
    assert files.read_all()[0].provenance.command == "again" or len(files.read_all()) == 3
    files.write(ended(failed, "ok", "at last"))
    files.write(ended(missing, "ok"))
    assert set(files.statuses(cells).values()) == {"ok", "diverged"}
    assert files.read(cells[1]) == ended(failed, "ok", "at last")
    assert len(files.read_all()) == len(cells)
    assert {name: store.read(name) for name in before} == before


def test_what_has_ended_is_known_by_the_names_alone(study):
    store = MemoryStore()
    files = RecordFiles(store)
    for number, cell in enumerate(study.plan.cells):
        status = ("ok", "failed", "diverged")[number % 3]
        files.write(ended(study.records[cell.id], status))
    store.reads = 0
    found = files.statuses(study.plan.cells)
    assert [found[cell.id] for cell in study.plan.cells[:3]] == ["ok", "failed", "diverged"]
    assert len(found) == len(study.plan.cells)
    assert not store.reads


def test_a_kill_before_any_change_loses_and_doubles_nothing(study):
    cell = study.plan.cells[0]
    record = study.records[cell.id]

    def work(files):
        """A round of a driver whose cell fails once and then succeeds, from wherever it stands."""
        files.set_failures_aside([cell])
        if files.statuses([cell]).get(cell.id) is None:
            if not store.list("attempts"):
                files.write(ended(record, "failed"))
                files.set_failures_aside([cell])
            files.write(ended(record, "ok"))

    for after in range(10):
        store = MemoryStore()
        try:
            work(RecordFiles(KilledStore(store, after)))
            finished = True
        except Killed:
            finished = False
        work(RecordFiles(store))
        assert RecordFiles(store).read_all() == [ended(record, "ok")]
        assert len(store.list("records")) == 1
        assert len([name for name in store.list("attempts") if name.endswith(".json")]) == 1
        if finished:
            break
    assert after == 3


def test_a_file_system_without_links_is_written_to_all_the_same(study, tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError(1, "operation not permitted")

    monkeypatch.setattr(local_store.os, "link", link)
    files, record = RecordFiles(LocalStore(tmp_path)), study.records[study.plan.cells[0].id]
    assert files.write(ended(record, "ok")).status == "ok"
    assert files.write(ended(record, "ok", "again")) == ended(record, "ok")
    assert all(json.loads(path.read_text()) for path in tmp_path.rglob("*.json"))


PART = st.from_regex(r"[a-z0-9][a-z0-9.@_-]{0,12}", fullmatch=True) | st.sampled_from(
    ["a.ok", "b.1"]
)
STEM = st.builds(
    lambda name, key: f"pretrain/{name}.{key}",
    PART,
    st.from_regex(r"[0-9a-f]{12}", fullmatch=True),
)


@settings(deadline=None)
@given(stem=STEM, status=st.sampled_from(FINAL), number=st.integers(1, 10**6))
def test_names_tell_the_cell_and_how_it_ended(stem, status, number):
    assert parsed_record_name(record_name(stem, status)) == (stem, status)
    assert parsed_record_name(older_name(stem)) == (stem, None)
    assert last_attempts([attempt_name(stem, number)]) == {stem: (number, False)}


def test_the_last_attempt_is_the_one_with_the_highest_number():
    names = [f"attempts/pretrain/a.0.{end}" for end in ("9.json", "10.json", "10.again", "2.json")]
    others = ["attempts/pretrain/b.0.3.json", "attempts/x", "attempts/pretrain/c.0.x.json"]
    assert last_attempts([*names, *others]) == {
        "pretrain/a.0": (10, True),
        "pretrain/b.0": (3, False),
    }
