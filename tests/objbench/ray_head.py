"""A Ray cluster on this machine, for tests: two cores and, as far as Ray knows, two GPUs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

_LONGEST = 300.0
"""Seconds in which the cluster has to be there, on whatever machine."""


def needs(package):
    """Skip where a package is not installed; fail where all must be."""
    if find_spec(package) is None:
        if os.environ.get("OBJBENCH_CLUSTERS") == "required":
            pytest.fail(f"{package} is not installed")
        pytest.skip(f"{package} is not installed")


@contextmanager
def ray_head(monkeypatch):
    """The address of a cluster that ends with the body."""
    needs("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # A machine with other things to do needs longer than the 15 seconds that Ray gives itself.
    monkeypatch.setenv("RAY_agent_register_timeout_ms", "120000")
    # Its workers would wait for everybody else there: Ray gives them a nice of 15.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    # In the folders of tests the names of its sockets would be too long.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    command += ["--node-ip-address=127.0.0.1", "--port=0", "--num-cpus=2", "--num-gpus=2"]
    command += ["--include-dashboard=false", f"--temp-dir={folder}"]
    log = folder / "start.txt"
    with log.open("w") as out:
        head = subprocess.Popen(command, stdout=out, stderr=out, process_group=0)
    try:
        began = time.monotonic()
        while "runtime started" not in log.read_text():
            is_late = time.monotonic() - began > _LONGEST
            assert head.poll() is None and not is_late, log.read_text()
            time.sleep(0.1)
        yield (folder / "ray_current_cluster").read_text().strip()
    finally:
        head.terminate()
        try:
            head.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
