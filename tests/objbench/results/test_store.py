"""What a run relies on holds in every store, with many processes at the same time."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest

from objbench.results.local_store import LocalStore
from objbench.results.store import Moved

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "run")


def at_once(work, *args, processes=3):
    """The results of ``work`` in several processes that begin at the same time."""
    start, results = SPAWN.Barrier(processes), SPAWN.Queue()
    running = [
        SPAWN.Process(target=_ended, args=(start, results, work, number, *args))
        for number in range(processes)
    ]
    for process in running:
        process.start()
    found = dict(results.get(timeout=60) for _ in running)
    for process in running:
        process.join()
    return found


def _ended(start, results, work, number, *args):
    start.wait()
    results.put((number, work(number, *args)))


def _created(number, store, names):
    return {name for name in names if store.put_once(name, b"%d" % number * 1000)}


def test_of_those_that_create_a_file_one_does(store):
    names = [f"records/{number}" for number in range(40)]
    created = at_once(_created, store, names)
    assert sorted(name for found in created.values() for name in found) == sorted(names)
    for number, found in created.items():
        assert all(store.read(name) == b"%d" % number * 1000 for name in found)
    assert store.list("records") == sorted(names)


def _counted(number, store, times):
    for _ in range(times):
        while True:
            content, seen = store.get("count")
            try:
                store.swap("count", b"%d" % (int(content) + 1), seen)
                break
            except Moved:
                continue
    return number


def test_no_swap_is_lost(store):
    store.put_once("count", b"0")
    at_once(_counted, store, 20)
    assert store.read("count") == b"60"
    assert store.list("") == ["count"]


def _taken(number, store, names):
    taken = set()
    for name in names:
        try:
            store.swap(name, b"%d" % number, None)
            taken.add(name)
        except Moved:
            continue
    return taken


def test_of_those_that_swap_nothing_for_a_file_one_does(store):
    names = [f"leases/{number}" for number in range(20)]
    taken = at_once(_taken, store, names)
    assert sorted(name for found in taken.values() for name in found) == sorted(names)


def test_a_file_is_swapped_for_the_version_that_was_seen_only(store):
    first = store.swap("lease", b"one", None)
    assert store.get("lease") == (b"one", first)
    second = store.swap("lease", b"two", first)
    assert (store.read("lease"), store.get("lease")) == (b"two", (b"two", second))
    for seen in (first, None):
        with pytest.raises(Moved):
            store.swap("lease", b"three", seen)
    assert not store.put_once("lease", b"three")
    third = store.swap("lease", b"two", second)
    assert len({first, second, third}) == 3
    assert store.get("lease") == (b"two", third)
    assert store.exists("lease")


def test_a_version_of_what_was_deleted_or_written_again_is_no_version_of_what_is_there(store):
    first = store.swap("lease", b"one", None)
    second = store.swap("lease", b"two", first)
    store.delete("lease")
    assert not store.exists("lease")
    for seen in (first, second):
        with pytest.raises(Moved):
            store.swap("lease", b"three", seen)
    with pytest.raises(OSError):
        store.get("lease")
    time.sleep(0.02)
    store.put_once("lease", b"one")
    for seen in (first, second):
        with pytest.raises(Moved):
            store.swap("lease", b"three", seen)
    seen = store.get("lease")[1]
    seen = store.swap("lease", b"two", seen)
    store.write("lease", b"four")
    assert store.read("lease") == b"four"
    with pytest.raises(Moved):
        store.swap("lease", b"three", seen)
    store.delete("lease")
    assert store.list("") == []


def test_a_file_is_as_old_as_its_last_swap_by_the_clock_of_the_store(store, monkeypatch):
    seen = store.swap("leases/one", b"one", None)
    path = store.root / "leases" / "one"
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 300))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 300 <= store.age("leases/one") < 310
    seen = store.get("leases/one")[1]
    store.swap("leases/one", b"two", seen)
    assert 0 <= store.age("leases/one") < 10
    with pytest.raises(OSError):
        store.age("leases/other")
    assert store.list("leases") == ["leases/one"]
