"""Workers that are lost are replaced until it is pointless, and what they had is given back at once."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from memory_objects import memory_objects

from objbench.errors import ConfigError, ObjbenchError
from objbench.results.object_store import ObjectStore
from objbench.results.plan import PlannedCell
from objbench.results.run_folder import RunFolder
from objbench.runs.cells.prepared_study import PreparedStudy
from objbench.runs.executors import pull_workers
from objbench.runs.executors.leases import Leases, this_worker
from objbench.runs.progress import Display
from objbench.runs.starters import chosen_place
from objbench.runs.starters.ray_cluster import RayCluster
from objbench.runs.starters.sbatch_options import sbatch_option
from objbench.runs.starters.started_workers import (
    MOST_STARTS,
    Share,
    StartedWorkers,
    WorkerEnd,
    require_package,
)
from objbench.runs.starters.worker_call import WorkerCall

CELL = PlannedCell(id="mlm.seed-0", kind="pretrain", key="0" * 64, objective="mlm", seed=0)


class Planted:
    """A cluster whose workers end as ``ends`` says, by their numbers."""

    name = "planted"

    def __init__(self):
        self.calls, self.ends, self.cancelled, self.is_open = [], {}, [], False
        self.threads = 3

    def open(self):
        self.is_open = True

    def close(self):
        self.is_open = False

    def share(self, at_once):
        return Share(at_once, self.threads)

    def start(self, calls, folder):
        self.calls += calls
        return range(len(self.calls) - len(calls), len(self.calls))

    def ended(self, worker):
        return self.ends.get(worker)

    def cancel(self, workers):
        self.cancelled += workers


@pytest.fixture
def cluster():
    return Planted()


@pytest.fixture
def prepared(tmp_path):
    class Said(Display):
        def __init__(self):
            self.lines = []

        def say(self, text):
            self.lines.append(text)

    fields = dict.fromkeys(("study", "plugins", "registry", "read_corpus", "open_text"))
    return PreparedStudy(
        **fields,
        folder=RunFolder(tmp_path),
        cache=tmp_path / "cache",
        device="cpu",
        command="",
        display=Said(),
    )


@pytest.fixture
def crew(cluster, prepared):
    crew = StartedWorkers(cluster, device="cuda:1")
    crew.__enter__()
    crew.start(prepared, 2)
    return crew


def test_what_is_sent(cluster, crew, prepared, monkeypatch):
    one, two = cluster.calls
    assert one.name != two.name
    assert (one.run, one.threads, one.stale) == (prepared.folder.path, 3, 300.0)
    # A worker sees its own GPU only, so it has no other number.
    assert one.device == "cuda"
    assert prepared.display.lines == ["2 workers on planted"]


def test_a_run_in_an_object_store_is_worked_on_there(cluster, prepared, monkeypatch):
    store = memory_objects("run")
    folder = RunFolder(prepared.folder.path, store)
    StartedWorkers(cluster, device="cpu").start(replace(prepared, folder=folder), 1)
    (call,) = cluster.calls
    assert (call.store, call.run) == (store, prepared.folder.path)
    worked = []
    monkeypatch.setattr("objbench.runs.work.work", lambda run, **more: worked.append((run, more)))
    monkeypatch.chdir(call.where)  # which is put back
    assert call() == ""
    assert [(run, more["store"]) for run, more in worked] == [(call.run, store)]


def test_a_worker_without_the_keys_of_the_store_is_refused_with_the_reason(tmp_path, monkeypatch):
    def fail(url):
        raise ConfigError(f"{url} cannot be used: no credentials for it were found")

    monkeypatch.setattr("objbench.runs.starters.worker_call.open_object_store", fail)
    monkeypatch.chdir(tmp_path)
    call = WorkerCall(
        "w", tmp_path, tmp_path, tmp_path, "cpu", 1, None, 300.0, ObjectStore("s3://b/r")
    )
    assert call().endswith(": s3://b/r cannot be used: no credentials for it were found")


def test_an_error_of_a_task_of_ray_is_told_by_its_cause(monkeypatch):
    class RayError(Exception):
        cause = None

    class RayTaskError(RayError):
        cause = OSError("the disk is gone")

    raised = []

    def get(worker):
        raise raised[-1]

    fake = SimpleNamespace(
        wait=lambda workers, timeout: (workers, []),
        get=get,
        exceptions=SimpleNamespace(RayError=RayError),
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    cluster = RayCluster(None, None, "cpu")
    raised.append(
        RayTaskError("ray::objbench work 1() (pid=7)\n  File ...\nOSError: the disk is gone")
    )
    assert cluster.ended("worker") == WorkerEnd(loss="the disk is gone")
    raised.append(RayError("The node is dead.\nMore advice."))
    assert cluster.ended("worker") == WorkerEnd(loss="The node is dead.")
    # One that says nothing is a loss too, by which the worker's cells are given to others.
    silent = RayTaskError("ray::objbench work 1() (pid=7)")
    silent.cause = MemoryError()
    raised.append(silent)
    assert cluster.ended("worker") == WorkerEnd(loss="MemoryError")


def test_one_that_is_lost_is_replaced_and_its_cell_given_back(cluster, crew, prepared):
    leases = Leases(prepared.folder.store)
    leases.take(CELL, this_worker(cluster.calls[0].name))
    cluster.ends[0] = WorkerEnd(loss="its node is gone")
    crew.keep(False)
    assert leases.take(CELL, "another").attempt == 2
    assert len(cluster.calls) == 2
    crew.keep(False)
    assert len(cluster.calls) == 3
    assert cluster.calls[2].name not in {call.name for call in cluster.calls[:2]}
    assert "a worker on planted has ended: its node is gone" in prepared.display.lines


def test_another_round_starts_those_that_are_missing(cluster, crew, prepared):
    cluster.ends[1] = WorkerEnd()
    crew.start(prepared, 7)
    assert len(cluster.calls) == 2 + 6
    assert cluster.cancelled == []
    # One that could not work in this round is tried in the next one.
    cluster.ends[0] = WorkerEnd(refusal="the corpus is not on node-3")
    crew.keep(False)
    crew.keep(False)
    assert len(cluster.calls) == 2 + 6
    crew.start(prepared, 7)
    assert len(cluster.calls) == 2 + 6 + 1


def test_another_round_that_is_spread_otherwise_has_workers_of_its_own(cluster, crew, prepared):
    cluster.ends[1] = WorkerEnd()
    cluster.threads = 1
    crew.start(prepared, 6)
    assert cluster.cancelled == [0]
    assert [call.threads for call in cluster.calls] == [3, 3, *[1] * 6]


def test_a_round_of_text_is_spread_over_its_shares(tmp_path, prepared, monkeypatch):
    plan = SimpleNamespace(
        cells=[
            CELL.model_copy(update={"id": kind, "kind": kind}) for kind in ("tokenizer", "cache")
        ]
        + [CELL.model_copy(update={"id": f"{n}", "kind": "tokens"}) for n in range(5)]
    )
    started = []

    class Started(Exception):
        """The crew has been asked."""

    def start(prepared, at_once):
        started.append(at_once)
        raise Started

    monkeypatch.setattr(pull_workers, "worker_terms", lambda prepared: None)
    monkeypatch.setattr(RunFolder, "write_worker_terms", lambda *given: None)
    with pytest.raises(Started):
        pull_workers.PullWorkers(crew=SimpleNamespace(start=start)).run(prepared, plan, {}, print)
    assert started == [5]


def test_a_cell_that_a_worker_has_leased_is_counted_as_under_way(prepared, monkeypatch):
    class Seen(Exception):
        """The display has been told."""

    def begin(cell):
        raise Seen(cell)

    monkeypatch.setattr(pull_workers, "worker_terms", lambda prepared: None)
    monkeypatch.setattr(RunFolder, "write_worker_terms", lambda *given: None)
    Leases(prepared.folder.store).take(CELL, "elsewhere:1")
    prepared.display.begin = begin
    with pytest.raises(Seen, match=CELL.id):
        pull_workers.PullWorkers(look=0.0).run(prepared, SimpleNamespace(cells=[CELL]), {}, print)


def test_workers_that_end_again_and_again_end_the_run(cluster, crew):
    for number in range(2 * MOST_STARTS):
        cluster.ends[number] = WorkerEnd(loss="no such interpreter")
    for _ in range(MOST_STARTS - 1):
        crew.keep(False)
    with pytest.raises(ObjbenchError, match="no worker is left on planted: no such interpreter"):
        crew.keep(False)
    assert len(cluster.calls) == 2 * MOST_STARTS


def test_a_record_in_between_shows_that_they_can_work(cluster, crew):
    for number in range(100):
        cluster.ends[number] = WorkerEnd(loss="pre-empted")
    for _ in range(4 * MOST_STARTS):
        crew.keep(True)
    assert len(cluster.calls) > 2 * MOST_STARTS


def test_one_that_is_refused_is_not_replaced(cluster, crew):
    cluster.ends[0] = WorkerEnd(refusal="node-3: planned with other code")
    for _ in range(3):
        crew.keep(False)
    assert len(cluster.calls) == 2
    cluster.ends[1] = WorkerEnd(refusal="node-4: planned with other code")
    with pytest.raises(ObjbenchError, match="node-4: planned with other code"):
        crew.keep(False)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_who_is_left_at_the_end_is_told_so(cluster, crew, error, monkeypatch):
    monkeypatch.setattr("objbench.runs.starters.started_workers.PATIENCE", 0.0)
    cluster.ends[1] = WorkerEnd()
    crew.__exit__(type(error), error, None)
    assert (cluster.cancelled, cluster.is_open) == ([0], False)


def place(name, **given):
    nothing = {"workers": None, "address": None, "sbatch": [], "device": None}
    return chosen_place.chosen_place(name, **{**nothing, **given})


def test_a_missing_extra_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package ray: pip install 'objbench\[ray\]'"):
        place("ray")
    with pytest.raises(ConfigError, match=r"package submitit: pip install 'objbench\[slurm\]'"):
        place("slurm")
    assert place("workers").crew is None


def test_flags_of_other_executors_are_refused(monkeypatch):
    monkeypatch.setattr(chosen_place, "require_package", lambda *names: None)
    with pytest.raises(
        ConfigError, match=r"--workers is of --executor ray or slurm, .* it is local"
    ):
        place("local", workers=2)
    with pytest.raises(ConfigError, match="--address is of --executor ray, and here it is slurm"):
        place("slurm", address="10.0.0.1:6379")
    with pytest.raises(ConfigError, match="--sbatch is of --executor slurm"):
        place("ray", sbatch=[("partition", "gpu")])
    assert isinstance(place("ray", address="x", workers=2).crew, StartedWorkers)
    require_package("ray", "pytest")


def test_options_of_sbatch():
    assert sbatch_option("partition=gpu") == ("partition", "gpu")
    assert sbatch_option("exclusive") == ("exclusive", True)
    assert sbatch_option("gres=gpu:a100:1") == ("gres", "gpu:a100:1")


@pytest.mark.parametrize(
    "text", ["", "-p", "partition=", "a b", "x=\n#SBATCH", "array=1-9", "time=4:00:00", "time"]
)
def test_what_is_no_option_of_sbatch(text):
    with pytest.raises(ValueError):
        sbatch_option(text)
