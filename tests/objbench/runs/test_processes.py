"""Processes that were asked for and not started are noticed."""

import pytest
from accelerate.commands import launch

from objbench.errors import ConfigError
from objbench.runs.processes import join_processes


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
