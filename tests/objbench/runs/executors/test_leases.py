"""One worker has a cell; another takes it over when nothing was heard by the store's clock."""

import json
import threading

import pytest

from objbench.results.atomic_files import whole_file, whole_folder
from objbench.results.fence import LeaseLost, fenced
from objbench.results.local_store import LocalStore
from objbench.results.plan import PlannedCell
from objbench.runs.executors.leases import Leases, lease_name

CELL = PlannedCell(id="mlm.seed-0", kind="pretrain", key="0" * 64, objective="mlm", seed=0)


class Aged:
    """A store whose clock the test moves, for one content only if it says so."""

    def __init__(self, root):
        self._store, self.late, self.only = LocalStore(root), 0.0, None

    def __getattr__(self, name):
        return getattr(self._store, name)

    def age(self, name):
        is_late = self.only is None or self._store.read(name) == self.only
        return self._store.age(name) + self.late * is_late


@pytest.fixture
def store(tmp_path):
    return Aged(tmp_path)


@pytest.fixture
def leases(store):
    return Leases(store, stale=300.0)


def test_a_cell_has_one_worker(leases):
    mine = leases.take(CELL, "a:1")
    assert (mine.owner, mine.attempt) == ("a:1", 1)
    assert leases.take(CELL, "b:2") is None
    assert [lease.owner for lease in leases.held()] == ["a:1"]


@pytest.mark.parametrize("is_taken_over", [False, True])
def test_of_many_workers_that_take_a_cell_at_once_one_has_it(leases, store, is_taken_over):
    if is_taken_over:
        leases.take(CELL, "lost:0")
        store.late, store.only = 301.0, store.read(lease_name(CELL))
    taken, start = [], threading.Barrier(8)

    def take(number):
        start.wait()
        if (lease := leases.take(CELL, f"w:{number}")) is not None:
            taken.append(lease)

    workers = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    (lease,) = taken
    assert lease.attempt == 1 + is_taken_over
    leases.renew(lease.name, lease.id)


def test_the_cell_of_a_worker_that_is_not_heard_of_is_taken_over_and_that_is_an_attempt(leases):
    mine = leases.take(CELL, "a:1")
    leases.store.late = 299.0
    assert leases.take(CELL, "b:2") is None
    leases.store.late = 301.0
    theirs = leases.take(CELL, "b:2")
    leases.store.late = 0.0
    assert (theirs.owner, theirs.attempt) == ("b:2", 2)
    with pytest.raises(LeaseLost, match="taken over by b:2"):
        leases.renew(mine.name, mine.id)
    # The loser can neither give back nor end what is no longer its own.
    leases.give_back(mine)
    leases.end(mine)
    leases.renew(theirs.name, theirs.id)


def test_a_renewed_lease_is_not_stale(leases, store):
    mine = leases.take(CELL, "a:1")
    store.late = 301.0
    assert list(leases.held()) == []
    for _ in range(10):  # More often than the store keeps older versions.
        leases.renew(mine.name, mine.id)
    store.late = 0.0
    assert leases.take(CELL, "b:2") is None


def test_what_is_given_back_is_no_attempt_and_what_is_ended_is_gone(leases, store):
    leases.give_back(leases.take(CELL, "a:1"))
    assert list(leases.held()) == []
    second = leases.take(CELL, "b:2")
    assert (second.owner, second.attempt) == ("b:2", 1)
    leases.give_back(second, is_lost=True)
    third = leases.take(CELL, "c:3")
    assert third.attempt == 2
    leases.end(third)
    assert store.list("leases") == []
    with pytest.raises(LeaseLost, match="is gone"):
        leases.renew(third.name, third.id)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"id": 1, "owner": "x"}', b"\xff"])
def test_a_file_that_is_no_lease_is_taken_over_once_it_is_old(leases, store, content):
    store.put_once(lease_name(CELL), content)
    assert leases.take(CELL, "a:1") is None
    store.late = 301.0
    assert leases.take(CELL, "a:1").attempt == 2


def test_a_swap_whose_answer_was_lost_counts(leases, store, monkeypatch):
    from objbench.results.store import Moved

    def swap(name, content, seen):
        store._store.swap(name, content, seen)
        raise Moved(name)

    mine = leases.take(CELL, "a:1")
    monkeypatch.setattr(store, "swap", swap, raising=False)
    leases.renew(mine.name, mine.id)
    assert json.loads(store.get(mine.name)[0])["beat"] == 1


def test_a_loser_stores_no_file_and_no_folder_and_leaves_what_is_there(leases, store, tmp_path):
    mine = leases.take(CELL, "a:1")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "old").write_text("the winner's")

    def renew():
        leases.renew(mine.name, mine.id)

    with fenced(renew):
        with whole_file(tmp_path / "before") as file:
            file.write(b"mine")
        store.late = 301.0
        assert leases.take(CELL, "b:2") is not None
        before = sorted(path for path in tmp_path.rglob("*") if "leases" not in path.parts)
        with pytest.raises(LeaseLost), whole_file(tmp_path / "after") as file:
            file.write(b"too late")
        with pytest.raises(LeaseLost), whole_folder(tmp_path / "kept") as folder:
            (folder / "new").write_text("too late")
    assert before == sorted(path for path in tmp_path.rglob("*") if "leases" not in path.parts)
    assert (tmp_path / "kept" / "old").read_text() == "the winner's"
    # Outside of the fence it is nobody's cell.
    with whole_file(tmp_path / "later") as file:
        file.write(b"free")


def test_losing_a_lease_is_no_failure_of_the_cell():
    assert not issubclass(LeaseLost, Exception)
