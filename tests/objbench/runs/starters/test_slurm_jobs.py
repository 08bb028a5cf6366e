"""What Slurm is asked for: sbatch gets one array with the user's options and a warning before the end."""

import importlib.util
import os
import signal
from pathlib import Path

import pytest

from objbench.errors import ConfigError
from objbench.runs.starters.slurm_jobs import QueuedCall, SlurmJobs
from objbench.runs.starters.worker_call import WorkerCall

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None and "OBJBENCH_CLUSTERS" not in os.environ,
    reason="submitit is not installed",
)

SBATCH = """#!/bin/sh
cp "$1" {folder}/asked
echo Submitted batch job 4711
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The folder of programs called sbatch and srun, of which the first keeps what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=folder)), ("srun", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def call(name="w", run="run"):
    return WorkerCall(name, Path(run), Path("/"), Path("/cache"), None, 1, None, 300.0)


def asked(slurm, tmp_path, options, workers=2):
    jobs = SlurmJobs(options, workers)
    jobs.open()
    started = jobs.start([call(str(n), tmp_path) for n in range(workers)], tmp_path)
    lines = (slurm / "asked").read_text().splitlines()
    return [job.job_id for job in started], {line for line in lines if line.startswith("#SBATCH")}


def test_an_array_of_workers_with_a_warning_before_the_end(slurm, tmp_path):
    ids, lines = asked(slurm, tmp_path, {"partition": "gpu", "gpus": "1", "exclusive": True})
    assert ids == ["4711_0", "4711_1"]
    assert lines >= {
        "#SBATCH --array=0-1%2",
        "#SBATCH --signal=USR2@90",
        "#SBATCH --time=240",
        "#SBATCH --partition=gpu",
        "#SBATCH --gpus=1",
        "#SBATCH --exclusive",
    }
    # How many cores come with a GPU is the cluster's to say.
    assert not [line for line in lines if "cpus" in line]
    assert [path.parent.parent.name for path in tmp_path.glob("slurm/*/4711_0_submitted.pkl")]


def test_without_gpus_a_worker_has_one_core_unless_asked_otherwise(slurm, tmp_path):
    assert "#SBATCH --cpus-per-task=1" in asked(slurm, tmp_path, {})[1]
    given = {"cpus-per-task": "8", "time": "30"}
    lines = asked(slurm, tmp_path, given)[1]
    assert {"#SBATCH --cpus-per-task=8", "#SBATCH --time=30"} <= lines
    assert [SlurmJobs(options, None).share(5).threads for options in ({}, given)] == [1, 8]
    assert SlurmJobs({"gres": "gpu:1"}, None).share(5).threads is None
    assert [SlurmJobs({}, workers).share(5).workers for workers in (None, 3)] == [5, 3]


def test_what_slurm_refuses_is_one_line(slurm, tmp_path):
    (slurm / "sbatch").write_text(
        "#!/bin/sh\necho 'invalid partition specified: gpux' >&2\nexit 1\n"
    )
    with pytest.raises(ConfigError, match=r"--executor slurm: .*invalid partition specified: gpux"):
        asked(slurm, tmp_path, {"partition": "gpux"})
    (slurm / "srun").unlink()
    with pytest.raises(ConfigError, match="there is no srun here"):
        SlurmJobs({}, None).open()


@pytest.mark.parametrize(("number", "is_queued"), [(signal.SIGUSR2, True), (signal.SIGTERM, False)])
def test_only_the_warning_queues_a_worker_again(monkeypatch, number, is_queued):
    def interrupted(self):
        raise KeyboardInterrupt(number)

    seen = []
    before = signal.signal(signal.SIGUSR2, lambda *given: seen.append(given[0]))
    monkeypatch.setattr(WorkerCall, "__call__", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            QueuedCall(call())()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert seen == [signal.SIGUSR2] * is_queued
    again = QueuedCall(call()).__submitit_checkpoint__()
    assert again.function == QueuedCall(call())
