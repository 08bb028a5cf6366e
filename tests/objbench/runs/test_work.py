"""A study that workers run has the records of one that a single process ran."""

import os
import shutil
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from objbench.cli.main import main
from objbench.errors import ConfigError
from objbench.results.local_store import LocalStore
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.runs.executors import pull_workers
from objbench.runs.executors.leases import Leases
from objbench.runs.executors.place import Place
from objbench.runs.work import work

# What a run took, and not what it computed.
_TIMES = {"provenance", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}


def numbers(value):
    """A record's content without what depends on the clock and the machine."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TIMES}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(folder):
    return {r.id: numbers(r.model_dump(mode="json")) for r in read_records(folder)}


@pytest.fixture(scope="module")
def small(make_study):
    return make_study(
        objectives=["mlm"],
        seeds=[0, 1],
        evaluation={"suites": ["heldout"], "points": 1, "heldout_batches": 1},
    )


@pytest.fixture(scope="module")
def whole(small, run, tmp_path_factory):
    """The run of one process, with the threads of a worker that runs one cell."""
    whole, before = tmp_path_factory.mktemp("whole"), torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    assert run(small, whole).complete
    torch.set_num_threads(before)
    return whole


@pytest.fixture(scope="module")
def wanted(whole):
    return content(whole)


@pytest.mark.slow
def test_two_workers_leave_the_records_that_one_process_leaves(
    small, wanted, run, cache, trainers, tmp_path
):
    shared = tmp_path / "shared"
    ends, log = [], tmp_path / "log.txt"
    driver = threading.Thread(
        target=lambda: ends.append(run(small, shared, jobs=None, place=Place("workers")))
    )
    driver.start()
    folder = RunFolder(shared)
    while not (folder.has_plan() and folder.read_worker_terms()):
        assert driver.is_alive()
        time.sleep(0.1)
    words = ["work", "--run", str(shared), "--cache", str(cache), "--device", "cpu", "--jobs", "1"]
    other = threading.Thread(target=lambda: ends.append(trainers.command(words, log)))
    other.start()
    mine = work(shared, cache=cache, jobs=1, device="cpu")
    other.join()
    driver.join()
    assert not mine.failures
    (code, said), end = sorted(ends, key=lambda one: not isinstance(one, tuple))
    assert code == 0, said
    assert end.complete
    assert content(shared) == wanted
    assert {cell.id for cell in read_plan(shared).cells} == {*content(shared)}
    assert not folder.store.list("leases")

    # Now that a plan is there: what a worker that is not like its planner is told.
    terms = folder.read_worker_terms()
    changed = terms.model_copy(update={"sources": {**terms.sources, "mlm": "0" * 64}})
    folder.write_worker_terms(changed)
    with pytest.raises(ConfigError, match=r"planned with other code .*source of mlm 000000000000"):
        work(shared, cache=cache, jobs=1, device="cpu")
    # And what a run of this machine alone is told as long as a worker is there.
    leases = Leases(folder.store)
    lease = leases.take(read_plan(shared).cells[0], "node-7:12")
    with pytest.raises(ConfigError, match=r"worker node-7:12 has cells .*--executor workers"):
        run(small, shared)
    leases.give_back(lease)
    assert run(small, shared).complete


@pytest.mark.slow
def test_all_records_may_come_between_two_looks(small, whole, wanted, run, tmp_path, monkeypatch):
    looks = []

    def work_meanwhile(seconds):
        assert not looks, "the records were there at the last look"
        looks.append(seconds)
        shutil.copytree(whole / "records", tmp_path / "records", dirs_exist_ok=True)

    monkeypatch.setattr(
        pull_workers, "time", SimpleNamespace(sleep=work_meanwhile, monotonic=time.monotonic)
    )
    assert run(small, tmp_path, jobs=None, place=Place("workers")).complete
    assert looks and content(tmp_path) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("is_held", [False, True])
def test_a_run_says_that_no_worker_is_there(
    small, whole, run, tmp_path, monkeypatch, capsys, is_held
):
    now = [0.0]

    def sleep(seconds):
        if is_held and not now[0]:
            Leases(LocalStore(tmp_path)).take(read_plan(tmp_path).cells[0], "node-7:12")
        now[0] += 200
        if now[0] >= 800:
            shutil.copytree(whole / "records", tmp_path / "records", dirs_exist_ok=True)

    monkeypatch.setattr(
        pull_workers, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    )
    assert run(small, tmp_path, jobs=None, place=Place("workers")).complete
    said = f"no worker has a cell of {tmp_path} by now: start objbench work --run {tmp_path}\n"
    assert capsys.readouterr().err.count(said) == (0 if is_held else 1)


def test_a_folder_that_was_not_planned_for_workers_is_refused(tmp_path, capsys):
    assert main(["work", "--run", str(tmp_path / "none")]) == 2
    assert "holds no plan.json" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs", "2"], ["--executor", "cloud"]])
def test_wrong_flags_are_one_line(words, capsys):
    study = ["run", "--objectives", "mlm", "--preset", "demo", "--dry-run", "--executor", "workers"]
    assert main([*study, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("objbench: error: ")
    assert error.count("\n") <= 2
