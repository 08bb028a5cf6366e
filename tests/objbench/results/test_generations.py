"""A swap on a file system is sound whoever is killed, stopped or late."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import pytest

from objbench.results import atomic_files, generations
from objbench.results.atomic_files import is_unfinished, put_file_once
from objbench.results.generations import KEPT, read_generation, swap_generation
from objbench.results.store import Moved

SPAWN = multiprocessing.get_context("spawn")


def below(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def swap(path, content):
    return swap_generation(path, content, read_generation(path).version)


@pytest.fixture
def path(tmp_path):
    put_file_once(tmp_path / "file", b"0")
    return tmp_path / "file"


@pytest.mark.parametrize("others", range(KEPT + 3))
def test_of_a_swap_that_is_late_it_is_known_whether_it_was_made(path, monkeypatch, others):
    """Between seeing a version and creating the next, others swap; what was seen is then gone."""
    seen = read_generation(path).version
    create = generations.put_file_once

    def late(*args, **kwargs):
        monkeypatch.setattr(generations, "put_file_once", create)
        for number in range(others):
            swap(path, b"other %d" % number)
        return create(*args, **kwargs)

    monkeypatch.setattr(generations, "put_file_once", late)
    if others:
        with pytest.raises(Moved):
            swap_generation(path, b"late", seen)
    else:
        swap_generation(path, b"late", seen)
    assert read_generation(path).content == (b"other %d" % (others - 1) if others else b"late")
    assert len(below(path.parent)) == 1 + min(KEPT, max(1, others))
    swap(path, b"next")
    assert read_generation(path).content == b"next"


def test_a_swap_was_made_though_others_followed_before_it_was_looked_at(path, monkeypatch):
    create = generations.put_file_once

    def then_others(*args, **kwargs):
        created = create(*args, **kwargs)
        monkeypatch.setattr(generations, "put_file_once", create)
        for number in range(KEPT - 1):
            swap(path, b"other %d" % number)
        return created

    seen = read_generation(path).version
    monkeypatch.setattr(generations, "put_file_once", then_others)
    mine = swap_generation(path, b"mine", seen)
    with pytest.raises(Moved):
        swap_generation(path, b"again", mine)


@pytest.mark.parametrize("again", [b"", b"0"])
@pytest.mark.parametrize("swaps", [0, 2])
def test_a_swap_that_is_late_does_not_revive_what_was_deleted(path, monkeypatch, again, swaps):
    for number in range(swaps):
        swap(path, b"%d" % number)
    seen = read_generation(path).version
    create = generations.put_file_once

    def late(*args, **kwargs):
        monkeypatch.setattr(generations, "put_file_once", create)
        generations.remove_generations(path)
        time.sleep(0.02)  # longer than the file system's clock needs
        if again:
            put_file_once(path, again)
        # As a late one might have left it, or a deletion that was killed.
        generations._folder(path, seen.split("-")[0]).mkdir()
        return create(*args, **kwargs)

    monkeypatch.setattr(generations, "put_file_once", late)
    with pytest.raises(Moved):
        swap_generation(path, b"late", seen)
    assert below(path.parent) == (["file"] if again else [])
    if again:
        assert read_generation(path).content == again
        swap(path, b"new")
        assert read_generation(path).content == b"new"


def _swap_for_ever(path):
    while True:
        try:
            swap(path, b"%d" % os.getpid() * 100)
        except Moved:
            continue


def test_whoever_is_killed_leaves_a_file_that_can_be_read_and_swapped(path):
    for wait in (0.3, 0.31, 0.33):
        swappers = [SPAWN.Process(target=_swap_for_ever, args=(path,)) for _ in range(2)]
        for process in swappers:
            process.start()
        while read_generation(path).version.endswith("-0"):
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(swappers[0].pid, signal.SIGKILL)
        os.kill(swappers[1].pid, signal.SIGSTOP)
        before = read_generation(path).version
        version = swap(path, b"after")
        assert (read_generation(path).content, version != before) == (b"after", True)
        os.kill(swappers[1].pid, signal.SIGKILL)
        for process in swappers:
            process.join()
    assert len([name for name in below(path.parent) if not is_unfinished(name[-1])]) < 20


def test_a_link_that_was_made_but_reported_as_taken_was_made(tmp_path, monkeypatch):
    link = os.link

    def sent_twice(one, other):
        link(one, other)
        link(one, other)

    monkeypatch.setattr(os, "link", sent_twice)
    assert put_file_once(tmp_path / "file", b"mine") is not None
    assert put_file_once(tmp_path / "file", b"other") is None
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert below(tmp_path) == ["file"]


def test_temporary_names_differ_between_hosts_and_are_known_as_such(tmp_path, monkeypatch):
    one = atomic_files._temporary(tmp_path / "file").name
    monkeypatch.setattr(atomic_files, "_HOST", "another")
    other = atomic_files._temporary(tmp_path / "file").name
    assert one != other
    assert f".another-{os.getpid()}-" in other
    assert is_unfinished(one)
    assert is_unfinished(other)
    assert not is_unfinished(".file.swaps-0123456789abcdef")


def test_generations_that_a_stranger_made_lead_nowhere(path, tmp_path):
    swap(path, b"1")
    (folder,) = tmp_path.glob(".file.swaps-*")
    (folder / "7").symlink_to(tmp_path / "absent")
    with pytest.raises(OSError, match="changes faster"):
        read_generation(path)
    (folder / "7").unlink()
    (folder / "7").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="a link leads out"):
        read_generation(path)
