"""Fixtures of the engine's tests: a tiny job, and the script that trains it elsewhere."""

from __future__ import annotations

import importlib.util
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


@pytest.fixture
def silent():
    return lambda done, total, text: None


@pytest.fixture
def weights():
    """Reads the exported weights of a point."""
    from safetensors.torch import load_file

    return lambda run, point: load_file(Path(run) / point / "model.safetensors")
