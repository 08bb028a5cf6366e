"""A run folder reads back what it wrote, wherever its store keeps it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from memory_store import MemoryStore

from objbench.errors import ConfigError, RecordError
from objbench.results.atomic_files import whole_file
from objbench.results.local_store import LocalStore
from objbench.results.run_folder import RunFolder, studies_in
from objbench.results.step_cost import StepCost


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return LocalStore(tmp_path / "run") if request.param == "folder" else MemoryStore()


@pytest.fixture
def run(store, tmp_path):
    return RunFolder(tmp_path / "run", store)


def unsealed(content):
    """A file as it was stored before there were digests, to be changed."""
    return b"".join(line for line in content.splitlines(True) if b'"sha256"' not in line)


def test_the_plan_and_the_records_are_read_back(run, make_study):
    study = make_study()
    with pytest.raises(RecordError, match=r"holds no plan\.json.*: name a run made by"):
        run.read_plan()
    run.write_plan(study.plan)
    for record in study.records.values():
        run.write_record(record)
    assert run.read_plan() == study.plan
    read = run.read_records()
    assert {record.id: record for record in read} == study.records
    assert [(record.kind, record.id) for record in read] == sorted(
        (record.kind, record.id) for record in study.records.values()
    )
    cell = study.plan.cells[0]
    assert run.read_record(cell) == study.records[cell.id]
    assert run.read_record(cell.model_copy(update={"key": "another" * 9})) is None
    assert run.has_records()
    run.remove_records()
    assert (run.has_records(), run.read_records()) == (False, [])


def test_a_cell_is_finished_when_its_record_did_not_fail(run, make_study):
    study = make_study()
    cells = study.plan.cells[:4]
    for cell, status in zip(cells, ("ok", "failed", "diverged"), strict=False):
        run.write_record(study.records[cell.id].model_copy(update={"status": status}))
    assert run.finished_cells(cells) == {cells[0].id: "ok", cells[2].id: "diverged"}


def test_costs_are_kept_by_objective_and_key(run):
    cost = StepCost(tokens=1.0, flops=2.0, seconds=None)
    run.write_cost("mlm", "a" * 64, cost)
    assert run.read_cost("mlm", "a" * 64) == cost
    assert run.has_cost("mlm", "a" * 64)
    assert not run.has_cost("mlm", "b" * 64)
    assert not run.has_cost("taco", "a" * 64)


def test_a_damaged_file_is_named_by_its_store(run, store, make_study):
    study = make_study()
    cell = study.plan.cells[0]
    run.write_record(study.records[cell.id])
    (name,) = store.list("records")
    store.write(name, b'{"id": ')
    for read in (run.read_records, lambda: run.read_record(cell)):
        with pytest.raises(RecordError, match=r"corrupted or of another version.*delete") as caught:
            read()
        assert str(caught.value).startswith(f"{run.where(cell)} is ")


def test_a_record_under_the_name_of_another_cell_is_refused(run, store, make_study):
    study = make_study()
    one, other = study.plan.cells[:2]
    run.write_record(study.records[one.id])
    (name,) = store.list("records")
    copied = store.read(name)
    store.delete(name)
    run.write_record(study.records[other.id])
    (name,) = store.list("records")
    store.write(name, copied)
    for read in (run.read_records, lambda: run.read_record(other)):
        with pytest.raises(
            RecordError, match=rf"another cell, {one.kind} {one.id}: delete it"
        ) as caught:
            read()
        assert str(caught.value).startswith(f"{run.where(other)} holds ")


def test_a_second_file_for_a_cell_or_an_id_outside_the_folder_is_refused(run, store, make_study):
    study = make_study()
    run.write_record(study.records[study.plan.cells[0].id])
    (name,) = store.list("records")
    content = unsealed(store.read(name))
    for at, what in [
        (name.replace(".json", ".2.json"), content),
        (name.replace(".ok.json", ".diverged.json"), content),
        ("records/pretrain/x.json", content.replace(b'"id": "', b'"id": "../../')),
    ]:
        store.write(at, what)
        with pytest.raises(
            RecordError, match=r"the record of another cell|id: String should match"
        ):
            run.read_records()
        store.delete(at)


@pytest.mark.parametrize("place", ["/tmp/e", "../e", "a/../../e"])
def test_an_encoder_outside_the_run_folder_is_refused(run, store, make_study, place):
    study = make_study()
    cell = next(cell for cell in study.plan.cells if cell.kind == "pretrain")
    run.write_record(study.records[cell.id])
    (name,) = store.list("records")
    content = unsealed(store.read(name))
    store.write(name, content.replace(b'"encoder": "e"', f'"encoder": "{place}"'.encode()))
    with pytest.raises(RecordError, match=r"points\.0\.encoder: "):
        run.read_record(cell)


def test_unfinished_files_are_not_listed(tmp_path):
    store = LocalStore(tmp_path)
    store.write("records/pretrain/b", b"")
    store.write("records/pretrain/a", b"")
    store.write("records/curve/c", b"")
    with pytest.raises(ZeroDivisionError), whole_file(tmp_path / "records" / "curve" / "d"):
        assert len(list((tmp_path / "records" / "curve").iterdir())) == 2
        assert len(store.list("records/curve")) == 1
        raise ZeroDivisionError
    assert store.list("records") == ["records/curve/c", "records/pretrain/a", "records/pretrain/b"]
    assert store.list("nothing") == []
    store.delete("records/curve/c")
    store.delete("records/curve/c")
    assert not store.exists("records/curve/c")
    store.delete("records/pretrain/a")
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["pretrain"]


def test_studies_are_the_folders_with_a_plan(tmp_path, make_study):
    for name in ("b", "a"):
        RunFolder(tmp_path / name).write_plan(make_study().plan)
    (tmp_path / "claims").mkdir()
    assert studies_in(tmp_path) == [tmp_path / "a", tmp_path / "b"]


@pytest.mark.parametrize(
    "name", ["exp#3", "_x", ".hidden", "R&D", "(a)", "Studie \N{GREEK SMALL LETTER ALPHA}"]
)
def test_a_folder_of_any_name_is_a_study(tmp_path, make_study, monkeypatch, name):
    run = RunFolder(tmp_path / name)
    run.make()
    run.write_plan(make_study().plan.model_copy(update={"name": run.name}))
    assert run.read_plan().name == name
    monkeypatch.chdir(run.path)
    assert RunFolder(Path()).name == name


def test_a_name_that_would_command_the_terminal_is_shown_without_that(tmp_path):
    assert RunFolder(tmp_path / "a\x1b[31m\nb").name == "a[31mb"


@pytest.mark.parametrize("name", ["records", "costs", "encoders", "checkpoints"])
def test_a_folder_that_is_a_link_out_of_it_is_refused_at_once(tmp_path, name):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "scratch")
    with pytest.raises(ConfigError, match=f"{name} cannot be used: a link leads out"):
        RunFolder(tmp_path / "run").make()


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(tmp_path, monkeypatch):
    def fails(path):
        raise OSError(errno.EIO, "input/output error", path)

    (tmp_path / "records").mkdir()
    monkeypatch.setattr("os.scandir", fails)
    with pytest.raises(OSError, match="input/output error"):
        LocalStore(tmp_path).list("records")
