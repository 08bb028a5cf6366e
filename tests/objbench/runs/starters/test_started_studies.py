"""The records of a study are the same whatever runs its cells, also where that is killed on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ray_head import needs, ray_head

from objbench.results.local_store import LocalStore
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.runs.executors.leases import STALE, Leases
from objbench.runs.processes import cores

pytestmark = pytest.mark.slow

STUDY = """
objectives = ["mlm", "taco"]
budget = "150-steps"
encoder.config = {{ num_hidden_layers = 1, hidden_size = 16, num_attention_heads = 2, \
intermediate_size = 32, max_position_embeddings = 32 }}
data = {{ corpus = "{corpus}", tokenizer = "train:400", length = 16 }}
training = {{ batch = 4, log_every = 10, checkpoint_every = 0 }}
evaluation = {{ suites = ["toy"], points = 1, max_train_samples = 16, heldout_batches = 1 }}
options.toy = {{ tasks = ["polarity"], epochs = 1 }}
"""
# What a run took, and not what it computed.
_TIMES = {"provenance", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}
_PATIENCE = 600


def numbers(value):
    """A record's content without what depends on the clock and the machine."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TIMES}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def content(folder):
    return {r.id: numbers(r.model_dump(mode="json")) for r in read_records(folder)}


def until(what):
    """Wait for something; returns it."""
    end = time.monotonic() + _PATIENCE
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def is_gone(process):
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Commands:
    """Command lines in processes of their own, which can be killed; all are gone at the end."""

    program = ("-m", "objbench")

    def __init__(self, folder):
        self.folder, self.begun = folder, []

    def begin(self, *words):
        log = (self.folder / f"{len(self.begun)}.txt").open("w")
        command = [sys.executable, *self.program, *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.begun.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        return self.begun[-1]

    def end(self, program):
        code = program.wait(_PATIENCE)
        said = (self.folder / f"{self.begun.index(program)}.txt").read_text()
        assert code == 0, said
        return said

    def close(self):
        for program in self.begun:
            program.kill()
            program.wait()


class Run:
    """A run folder, and who has cells of it."""

    def __init__(self, folder):
        self.folder = folder

    def leases(self):
        """The leases that somebody has."""
        return [*Leases(LocalStore(self.folder)).held()]

    def training(self):
        """The process of a worker that is in the middle of a pretraining; None where there is none."""
        for lease in self.leases():
            if [*(self.folder / "checkpoints" / Path(lease.name).name).glob("*")]:
                return int(lease.owner.partition(":")[2].partition("/")[0])
        return None

    def is_taken_again(self):
        """Whether a cell is in the hands of another worker after its first one was lost."""
        return any(lease.attempt > 1 for lease in self.leases())

    def age_leases(self):
        """As if nothing had been heard of their workers for long enough."""
        for path in (self.folder / "leases").rglob("*"):
            os.utime(path, (0, time.time() - 2 * STALE))

    def require(self, wanted):
        assert content(self.folder) == wanted
        assert {cell.id for cell in read_plan(self.folder).cells} == {*wanted}
        assert not RunFolder(self.folder).store.list("leases")


@pytest.fixture
def commands(tmp_path):
    made = Commands(tmp_path)
    yield made
    made.close()


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "run")


@pytest.fixture(scope="module")
def words(corpus, cache, tmp_path_factory):
    config = tmp_path_factory.mktemp("study") / "study.toml"
    config.write_text(STUDY.format(corpus=corpus))
    study = ["run", "--config", str(config), "--device", "cpu", "--cache", str(cache)]
    return lambda run, *more: [*study, "--out", str(run.folder), *more]


@pytest.fixture(scope="module")
def wanted(words, trainers, tmp_path_factory):
    """The records of one process."""
    whole = Run(tmp_path_factory.mktemp("whole") / "run")
    code, said = trainers.command(words(whole, "--jobs", "1"), whole.folder.parent / "log.txt")
    assert code == 0, said
    return content(whole.folder)


@pytest.fixture(scope="module")
def ray_cluster():
    """The address of a cluster on this machine."""
    with pytest.MonkeyPatch.context() as patch, ray_head(patch) as address:
        yield address


def test_a_pool_of_processes(words, wanted, commands, run):
    pool = words(run, "--jobs", str(cores()))  # A thread for each cell.
    first = commands.begin(*pool)
    until(lambda: len([*run.folder.glob("checkpoints/*/*")]) >= 2)
    children = psutil.Process(first.pid).children()
    next(one for one in children if "spawn_main" in "".join(one.cmdline())).kill()
    until(lambda: [*run.folder.glob("records/pretrain/*")])
    first.kill()
    first.wait()
    commands.end(commands.begin(*pool))
    run.require(wanted)


def test_workers_started_by_hand(words, wanted, commands, run):
    driver = commands.begin(*words(run, "--executor", "workers"))
    until((run.folder / "workers.json").exists)
    work = ["work", "--run", str(run.folder), "--device", "cpu", "--jobs", "1", "--threads", "1"]
    work += words(run)[-4:-2]
    both = [commands.begin(*work) for _ in range(2)]
    process = until(run.training)
    lost = next(one for one in both if one.pid == process)
    lost.kill()
    lost.wait()
    driver.kill()
    driver.wait()
    run.age_leases()
    again = commands.begin(*words(run, "--executor", "workers"))
    commands.end(next(one for one in both if one is not lost))
    commands.end(again)
    run.require(wanted)


def test_tasks_of_ray(words, wanted, commands, run, ray_cluster):
    ray = words(run, "--executor", "ray", "--address", ray_cluster)
    first = commands.begin(*ray)
    process = until(run.training)
    os.kill(process, signal.SIGKILL)
    # Long before its lease is stale.
    until(run.is_taken_again)
    process = until(run.training)
    first.kill()
    first.wait()
    until(lambda: is_gone(process))
    run.age_leases()
    said = commands.end(commands.begin(*ray))
    assert "2 workers on ray" in said
    run.require(wanted)


class Submitted(Commands):
    """With submitit's executor for one machine in the place of Slurm."""

    program = (str(Path(__file__).with_name("submitted_here.py")),)

    def close(self):
        super().close()
        # Jobs outlive who submitted them, as on Slurm.
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()):
                process.kill()


def test_jobs_of_slurm(words, wanted, tmp_path, run):
    needs("submitit")
    commands, slurm = Submitted(tmp_path), words(run, "--executor", "slurm")
    try:
        first = commands.begin(*slurm)
        process = until(run.training)
        os.kill(process, signal.SIGKILL)
        until(run.is_taken_again)
        # A warning before the end of its time: it gives back and is queued again.
        process = until(run.training)
        os.kill(process, signal.SIGUSR2)
        until(lambda: is_gone(process))
        logs = "".join(path.read_text() for path in run.folder.glob("slurm/*/*.out"))
        assert "Requeued job" in logs
        first.kill()
        first.wait()
        # The workers do not depend on the run, which finds what they have done.
        commands.end(commands.begin(*slurm))
        run.require(wanted)
    finally:
        commands.close()
