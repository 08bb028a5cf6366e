"""Processes that were asked for and not started are noticed, and all fail where one does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands import launch

import objbench
from objbench.errors import ConfigError
from objbench.runs.processes import cores, join_processes


@pytest.fixture
def launched(monkeypatch):
    """(processes) -> this process is set up as the one that `accelerate launch --cpu` starts."""

    class Started:
        returncode = 0

        def __init__(self, command, env):
            for name in env.keys() - {"PATH", "PYTHONPATH"}:
                monkeypatch.setenv(name, env[name])

        def wait(self):
            pass

    def set_up(processes):
        for name in ("WORLD_SIZE", "MASTER_PORT", "ACCELERATE_DYNAMO_BACKEND"):
            monkeypatch.delenv(name, raising=False)
        words = ["--cpu", "--num_processes", str(processes), "-m", "objbench", "run"]
        with monkeypatch.context() as patch:
            patch.setattr(launch.subprocess, "Popen", Started)
            launch.launch_command(launch.launch_command_parser().parse_args(words))

    return set_up


def test_accelerate_that_starts_one_process_for_several_is_refused(launched):
    launched(1)
    join_processes("cpu")
    launched(2)
    with pytest.raises(ConfigError, match="asked for several processes and started one"):
        join_processes("cpu")


FAULTY_STORE = """
from dataclasses import dataclass
from types import SimpleNamespace

from objbench.errors import CheckpointError
from objbench.runs.cells.pretrain import PretrainWork
from objbench.runs.processes import join_processes, rank


@dataclass
class Job:
    lines: object = None
    kept: object = None


def begin(is_whole):
    raise CheckpointError("what the store has is damaged")


join_processes("cpu")
folder = SimpleNamespace(
    read_reference_lines=lambda: None,
    checkpoint_copies=lambda cell: SimpleNamespace(begin=begin, put=None),
)
prepared = SimpleNamespace(pretrain_job=lambda *given: Job(), folder=folder)
work = SimpleNamespace(prepared=prepared, context=SimpleNamespace(teachers=lambda cell: {}))
try:
    PretrainWork.do(work, SimpleNamespace(key="k"), "")
except Exception as error:
    print(rank(), type(error).__name__, error)
"""


def test_where_the_main_process_cannot_continue_a_cell_no_other_trains():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", FAULTY_STORE],
            env={**os.environ, **where, "WORLD_SIZE": "2", "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    said = [process.communicate()[0].strip() for process in started]
    assert said == [
        "0 CheckpointError what the store has is damaged",
        "1 ObjbenchError the main process failed: what the store has is damaged",
    ]


def test_the_cores_that_may_be_used_are_asked_for_in_one_place(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 2
    package = Path(objbench.__file__).parent
    asking = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "cpu_count" in path.read_text("utf-8")
    }
    # The device of a record is named after the whole machine.
    assert asking == {"runs/processes.py", "results/provenance.py"}
