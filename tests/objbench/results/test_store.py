"""What a run relies on holds in every store, with many processes at the same time."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time

import pytest

from objbench.errors import ConfigError
from objbench.results import object_store
from objbench.results.local_store import LocalStore
from objbench.results.object_store import ObjectStore
from objbench.results.store import Moved
from objbench.results.usable_store import open_object_store, require_conditional

# By the name that spawned processes know too: they import this file, and no conftest.
from tests.objbench.memory_objects import memory_objects, require_obstore

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(params=["folder", "memory", "server"])
def store(request, tmp_path):
    if request.param == "folder":
        return LocalStore(tmp_path / "run")
    if request.param == "memory":
        return memory_objects(tmp_path.name)
    return open_object_store(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


@pytest.fixture
def shared(store):
    """A store that several processes see."""
    if isinstance(store, ObjectStore) and store.url.startswith("memory:"):
        pytest.skip("what is in the memory of a process is not shared")
    return store


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


def test_of_those_that_create_a_file_one_does(shared):
    store = shared
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


def test_no_swap_is_lost(shared):
    store = shared
    store.put_once("count", b"0")
    at_once(_counted, store, 20)
    assert store.get("count")[0] == b"60"
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


def test_of_those_that_swap_nothing_for_a_file_one_does(shared):
    store = shared
    names = [f"leases/{number}" for number in range(20)]
    taken = at_once(_taken, store, names)
    assert sorted(name for found in taken.values() for name in found) == sorted(names)


def test_a_file_is_swapped_for_the_version_that_was_seen_only(store):
    first = store.swap("lease", b"one", None)
    assert store.get("lease") == (b"one", first)
    second = store.swap("lease", b"two", first)
    assert store.get("lease") == (b"two", second)
    for seen in (first, None):
        with pytest.raises(Moved):
            store.swap("lease", b"three", seen)
    assert not store.put_once("lease", b"three")
    third = store.swap("lease", b"three", second)
    assert len({first, second, third}) == 3
    assert store.get("lease") == (b"three", third)
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
    store.put_once("lease", b"other")
    for seen in (first, second):
        with pytest.raises(Moved):
            store.swap("lease", b"three", seen)
    seen = store.get("lease")[1]
    seen = store.swap("lease", b"two", seen)
    store.write("lease", b"four")
    assert store.get("lease")[0] == b"four"
    with pytest.raises(Moved):
        store.swap("lease", b"three", seen)
    store.delete("lease")
    assert store.list("") == []


def test_a_file_is_as_old_as_its_last_swap_by_the_clock_of_the_store(store, monkeypatch):
    seen = store.swap("leases/one", b"one", None)
    if isinstance(store, LocalStore):
        path = store.root / "leases" / "one"
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 300))
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert 300 <= store.age("leases/one") < 310
        seen = store.get("leases/one")[1]
    else:
        # An object store tells time in whole seconds, and a busy machine is slow to ask.
        time.sleep(4.1)
        assert 4 <= store.age("leases/one") < 60
    aged = store.age("leases/one")
    store.swap("leases/one", b"two", seen)
    assert store.age("leases/one") < aged
    with pytest.raises(OSError):
        store.age("leases/other")
    assert store.list("") == ["leases/one"]


def test_names_are_listed_by_folder(store):
    for name in ("records/b", "records/curve/c", "recordsets/d", "a"):
        store.write(name, b"")
    assert store.list("records") == ["records/b", "records/curve/c"]
    assert store.list("") == ["a", "records/b", "records/curve/c", "recordsets/d"]
    assert store.list("nothing") == []
    store.delete("records/b")
    store.delete("records/b")
    assert store.list("records") == ["records/curve/c"]


def test_a_folder_that_is_removed_while_it_is_listed_has_no_files(tmp_path, monkeypatch):
    """As of somebody else's half-written encoder, or the last lease of a folder."""
    store = LocalStore(tmp_path)
    for name in ("records/a", "records/curve/b", "records/floor/c"):
        store.write(name, b"")
    plain = os.scandir

    def scandir(folder):
        if os.path.basename(folder) == "curve":
            store.delete("records/curve/b")
        return plain(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert store.list("records") == ["records/a", "records/floor/c"]


def test_files_of_any_size_go_in_and_out(store, tmp_path):
    if isinstance(store, LocalStore):
        pytest.skip("a folder is where the files are made")
    (tmp_path / "in").write_bytes(os.urandom(6 << 20))
    store.upload(tmp_path / "in", "encoders/one/weights")
    store.download("encoders/one/weights", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()


class Careless(LocalStore):
    """A store that overwrites what is there."""

    def put_once(self, name, content):
        self.write(name, content)
        return True


class Forgetful(LocalStore):
    """A store that swaps whatever was seen."""

    def swap(self, name, content, seen):
        return super().swap(name, content, self.get(name)[1])


@pytest.mark.parametrize("kind", [Careless, Forgetful])
def test_a_store_that_lets_two_write_is_refused(tmp_path, kind):
    require_conditional(LocalStore(tmp_path))
    with pytest.raises(ConfigError, match="two workers would overwrite each other; use S3"):
        require_conditional(kind(tmp_path))
    assert LocalStore(tmp_path).list("") == []


def test_a_store_that_is_not_there_is_told_in_one_line(monkeypatch):
    require_obstore()
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "made-up")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    monkeypatch.setattr("objbench.results.object_store._RETRY", {"max_retries": 0})
    with pytest.raises(ConfigError, match="s3://nowhere/run cannot be used: ") as caught:
        open_object_store("s3://nowhere/run/")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("s3://nokeys/run", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"]),
        ("az://nokeys/run", ["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"]),
    ],
)
def test_without_keys_the_environment_to_set_is_named(monkeypatch, url, names):
    """As ``work --run`` of somebody who has just installed the extra."""
    require_obstore()
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_")):
            monkeypatch.delenv(name)
    # Nobody answers where a machine of Amazon's would hear who it is.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("objbench.results.object_store._RETRY", {"max_retries": 0})
    with pytest.raises(ConfigError, match=f"{url} cannot be used: no credentials") as caught:
        open_object_store(url)
    said = str(caught.value)
    assert all(name in said for name in names)
    assert "\n" not in said and "169.254" not in said and "127.0.0.1" not in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            FileNotFoundError(errno.ENOENT, "there is no such object"),
            "there is no such bucket; check the name of its bucket, and what is set of GOOGLE",
        ),
        (
            "Generic GCS error: Error performing GET http://169.254.169.254/computeMetadata/v1/",
            "no credentials for it were found: set GOOGLE_APPLICATION_CREDENTIALS, to ",
        ),
        (
            "no such bucket",
            "no such bucket; check the name of its bucket, and what is set of GOOGLE",
        ),
    ],
)
def test_what_is_said_depends_on_whether_there_were_keys(monkeypatch, fault, said):
    def fail(store):
        raise OSError(errno.EIO, fault) if isinstance(fault, str) else fault

    monkeypatch.setattr("objbench.results.usable_store.require_conditional", fail)
    with pytest.raises(ConfigError, match=f"gs://bucket/run cannot be used: {said}"):
        open_object_store("gs://bucket/run")


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({}, False),
        ({"AWS_ENDPOINT_URL": "https://store.example"}, False),
        ({"AWS_ENDPOINT_URL": "http://10.0.0.1:9000"}, True),
        ({"AWS_ENDPOINT_URL_S3": "http://10.0.0.1:9000"}, True),
        ({"AWS_ENDPOINT_URL": "http://10.0.0.1:9000", "AWS_ALLOW_HTTP": "false"}, False),
        ({"AWS_ALLOW_HTTP": "true"}, True),
    ],
)
def test_a_store_may_be_asked_unencrypted_where_its_address_says_so(
    monkeypatch, environment, allowed
):
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert object_store._is_http_allowed() is allowed


def test_of_a_request_that_failed_the_address_and_the_reason_are_said():
    asked = "Error performing PUT http://10.0.0.1:9000/bucket/x"
    tried = "in 1.468368495s, after 8 retries, max_retries: 8, retry_timeout: 120s"
    error = OSError(f"Generic S3 error: {asked}/.probes/e7ebcc15 {tried} - HTTP error: no answer")
    assert object_store._reason(error) == "http://10.0.0.1:9000/bucket/x: HTTP error: no answer"
