"""Processes that were asked for and not started are noticed."""

import pytest

from objbench.errors import ConfigError
from objbench.runs.processes import join_processes


def test_accelerate_that_starts_one_process_for_several_is_refused(monkeypatch):
    # What `accelerate launch --cpu --num_processes 2` sets, and does not.
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "NO")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.delenv("MASTER_PORT", raising=False)
    join_processes("cpu")  # --num_processes 1
    monkeypatch.setenv("MASTER_PORT", "29500")
    with pytest.raises(ConfigError, match="asked for several processes and started one"):
        join_processes("cpu")
