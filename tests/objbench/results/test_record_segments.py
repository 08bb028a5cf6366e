"""Packing loses and doubles no record, whatever is killed, late, or done at the same time."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_objects import memory_objects
from memory_store import Killed, KilledStore, MemoryStore

from objbench.errors import RecordError
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.record_files import RecordFiles
from objbench.results.record_names import older_name, record_name, stem_of


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
def made(make_study):
    """(number) -> as many cells and their records, all evaluations; every fifth diverged."""
    study = make_study()
    cell = next(cell for cell in study.plan.cells if cell.kind == "evaluation")

    def make(number):
        pairs = []
        for n in range(number):
            own = {"id": f"{n}.{cell.id}", "key": f"{n:012d}abc"}
            status = "diverged" if n % 5 == 4 else "ok"
            record = study.records[cell.id].model_copy(update={**own, "status": status})
            pairs.append((cell.model_copy(update=own), record))
        return [cell for cell, _ in pairs], [record for _, record in pairs]

    return make


def by(record, command):
    made = record.provenance.model_copy(update={"command": command})
    return record.model_copy(update={"provenance": made})


def in_order(records):
    return sorted(records, key=stem_of)


def is_whole(store, cells, records):
    """Whether whoever looks now finds every record, and each of them once."""
    files = RecordFiles(store)
    assert files.read_all() == in_order(records)
    assert files.statuses(cells) == {record.id: record.status for record in records}
    assert [RecordFiles(store).read(cell) for cell in cells[:2]] == records[:2]
    heads = [store.read(name).partition(b"\n")[0] for name in store.list("segments")]
    packed = [stem for head in heads for stem, *_ in json.loads(head)["cells"]]
    assert len(packed) == len({*packed})
    return True


def test_records_are_packed_by_the_number_and_read_as_before(store, made):
    cells, records = made(10)
    files = RecordFiles(store)
    for record in records:
        files.write(record)
    assert files.pack(4) == 8
    assert store.list("segments") == ["segments/0001.jsonl", "segments/0002.jsonl"]
    assert len(store.list("records")) == 2
    assert is_whole(store, cells, records)
    assert files.pack(4) == 0
    assert files.write(by(records[0], "a late one")) == records[0]
    assert "segments" in files.where(cells[0]) and "records" in files.where(cells[9])
    files.remove_all()
    assert not files.has_any()


def test_what_names_encoders_failed_or_is_older_stays_as_it_is(make_study):
    study, store = make_study(), MemoryStore()
    files = RecordFiles(store)
    for record in study.records.values():
        files.write(record)
    evaluations = [record for record in study.records.values() if record.kind == "evaluation"]
    store.write(older_name(stem_of(evaluations[0])), store.files.pop(store.list("records")[-1]))
    before = {name for name in store.list("records") if not name.startswith("records/evaluation")}
    files.write(evaluations[0].model_copy(update={"status": "failed"}))
    files.pack(1)
    assert before - {name for name in before if "/curve/" in name} <= {*store.list("records")}
    assert not [name for name in store.list("records") if "/curve/" in name and ".ok." in name]
    assert store.list("attempts")


def test_no_line_is_read_to_know_what_has_ended(made):
    cells, records = made(12)
    store = MemoryStore()
    for record in records:
        RecordFiles(store).write(record)
    RecordFiles(store).pack(4)
    files, store.reads = RecordFiles(store), 0
    for _ in range(3):
        assert len(files.statuses(cells)) == len(cells)
    assert store.reads == 3  # The first line of each segment, once.


def test_a_kill_before_any_change_loses_and_doubles_nothing(made):
    cells, records = made(7)
    for after in range(30):
        store = MemoryStore()
        for record in records:
            RecordFiles(store).write(record)
        finished = True
        try:
            RecordFiles(KilledStore(store, after)).pack(3)
        except Killed:
            finished = False
        assert is_whole(store, cells, records)
        RecordFiles(store).pack(3)
        assert is_whole(store, cells, records)
        assert (len(store.list("segments")), len(store.list("records"))) == (2, 1)
        if finished:
            break
    # Two segments, and the files of the six records in them.
    assert after == 8


class Meanwhile:
    """A store before whose operation number ``at`` something else happens."""

    def __init__(self, store, at, happen):
        self.store, self.at, self.happen = store, at, happen

    def __getattr__(self, name):
        found = getattr(self.store, name)

        def operate(*args):
            self.at -= 1
            if self.at == -1:
                self.happen()
            return found(*args)

        return operate


@pytest.mark.parametrize("at", range(12))
def test_who_reads_while_another_packs_finds_every_record(made, at):
    cells, records = made(5)
    for read in (
        lambda files: files.read_all() == in_order(records),
        lambda files: len(files.statuses(cells)) == len(cells),
        lambda files: [files.read(cell) for cell in cells] == records,
        lambda files: files.write(by(records[0], "a late one")) == records[0],
    ):
        store = MemoryStore()
        for record in records:
            RecordFiles(store).write(record)
        packing = Meanwhile(store, at, lambda store=store: RecordFiles(store).pack(2))
        assert read(RecordFiles(packing))
        assert is_whole(store, cells, records)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 8), st.booleans()),
        st.tuples(st.just("pack"), st.integers(1, 4), st.integers(0, 12)),
        st.tuples(st.just("late"), st.integers(0, 8), st.booleans()),
        st.tuples(st.just("both"), st.integers(1, 4), st.integers(0, 25)),
    ),
    max_size=12,
)


@settings(
    max_examples=60,
    deadline=None,
    # What it makes is never changed.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(operations=OPERATIONS)
def test_any_order_of_writers_packers_and_kills_keeps_the_first_record_of_each(made, operations):
    cells, records = made(9)
    store, first = MemoryStore(), {}
    packer = RecordFiles(store)
    for what, number, more in operations:
        if what == "write":
            mine = by(records[number], f"writer {more}")
            stored = RecordFiles(store).write(mine)
            assert stored == first.setdefault(number, mine)
        elif what == "late" and number in first:
            # A worker that was stopped after it had looked, until its record had been packed.
            late = by(records[number], "a late one")
            scratch = MemoryStore()
            RecordFiles(scratch).write(late)
            store.put_once(record_name(stem_of(late), late.status), *scratch.files.values())
        elif what == "pack":
            with suppress(Killed):
                RecordFiles(KilledStore(store, more)).pack(number)
        elif what == "both":
            other = Meanwhile(store, more, lambda number=number: packer.pack(number))
            RecordFiles(other).pack(number)
        there = sorted(first)
        assert is_whole(store, [cells[n] for n in there], [first[n] for n in there])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c[:-40], "the line of .* is not what was written"),
        (
            lambda c: c.replace(b'"task":"cola"', b'"task":"mnli"'),
            "the line of .* is not what was written",
        ),
        (lambda c: c.replace(b'"ok"', b'"diverged"', 1), "first line: .*SHA-256 does not match"),
        (lambda c: c[:100], "its first line is cut off"),
        (lambda c: b"{}\n" + c, "its first line: cells: Field required"),
    ],
)
def test_a_damaged_segment_is_named_in_one_line(made, tmp_path, spoil, message):
    cells, records = made(3)
    store = LocalStore(tmp_path)
    for record in records:
        RecordFiles(store).write(record)
    RecordFiles(store).pack(3)
    path = tmp_path / "segments" / "0001.jsonl"
    whole = path.read_bytes()
    spoilt = spoil(whole)
    assert spoilt != whole
    path.write_bytes(spoilt)
    with pytest.raises(RecordError, match=message) as caught:
        RecordFiles(store).read_all()
    said = str(caught.value)
    assert said.startswith(f"{path} is damaged (") and "\n" not in said
    assert "put a copy of it there, or delete it and run the study again" in said
    path.unlink()
    files = RecordFiles(store)
    assert (files.statuses(cells), files.read_all()) == ({}, [])


def test_a_line_of_another_cell_is_no_record_of_this_one(made, tmp_path):
    from objbench.results.canonical_lines import canonical_line, digest
    from objbench.results.json_files import sealed

    cells, records = made(2)
    store = LocalStore(tmp_path)
    for record in records:
        RecordFiles(store).write(record)
    RecordFiles(store).pack(2)
    path = tmp_path / "segments" / "0001.jsonl"
    head, line, other = path.read_bytes().splitlines()
    fields = json.loads(head)
    del fields["sha256"]
    for cell, own in zip(fields["cells"], (other, line), strict=True):
        cell[2:] = [len(own), digest(own)]
    head = canonical_line(sealed(fields)).encode()
    path.write_bytes(b"\n".join([head, other, line, b""]))
    for read in (lambda: RecordFiles(store).read(cells[0]), RecordFiles(store).read_all):
        with pytest.raises(RecordError, match="is of another cell"):
            read()


def test_a_segment_that_is_deleted_leaves_its_cells_to_be_run_again(made, tmp_path):
    cells, records = made(4)
    store = LocalStore(tmp_path)
    files = RecordFiles(store)
    for record in records:
        files.write(record)
    files.pack(2)
    (tmp_path / "segments" / "0001.jsonl").unlink()
    left = {record.id for record in files.read_all()}
    assert len(left) == 2 and {*files.statuses(cells)} == left
    for record in records:
        files.write(record)
    assert files.pack(2) == 2
    assert is_whole(store, cells, records)
    assert store.list("segments") == ["segments/0002.jsonl", "segments/0003.jsonl"]
