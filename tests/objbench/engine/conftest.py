"""Fixtures of the engine's tests: a tiny job, and the script that trains it elsewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

SCRIPT = Path(__file__).with_name("train_tiny.py")


def load_script() -> ModuleType:
    if "train_tiny" not in sys.modules:
        spec = importlib.util.spec_from_file_location("train_tiny", SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["train_tiny"] = module
        spec.loader.exec_module(module)
    return sys.modules["train_tiny"]


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny products are slower on several threads than on one, more so on a shared machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    return load_script()


class Trainers:
    """Processes that train the tiny job and can be killed."""

    def __init__(self) -> None:
        command = [sys.executable, str(SCRIPT)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, run: Path, result: Path, env=None, die_at=None, **options) -> int:
        """Begin to train; returns the process id."""
        start = [str(run), str(result), options]
        return self._ask({"start": start, "env": env or {}, "die_at": die_at})

    def wait(self, process: int) -> int:
        """Wait for the end; returns 0, or the signal or exit code as ``os.wait`` gives it."""
        return self._ask({"wait": process})

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait(timeout=30)

    def _ask(self, request: dict) -> int:
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@pytest.fixture(scope="session")
def trainers():
    server = Trainers()
    yield server
    server.close()


@pytest.fixture
def silent():
    return lambda done, total, text: None


@pytest.fixture
def weights():
    """Reads the exported weights of a point."""
    from safetensors.torch import load_file

    return lambda run, point: load_file(Path(run) / point / "model.safetensors")
