"""A tiny subject for any objective class, of one layer of width 16."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from objbench.plugins.conformance.subject import Subject

HERE = Path(__file__).parent


def load(path: Path) -> ModuleType:
    """A module beside the tests, by its path: the tests are no package."""
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    return sys.modules[path.stem]


train_tiny = load(HERE.parents[1] / "engine" / "train_tiny.py")
planted = load(HERE / "planted.py")
for faults in ("planted_batches.py", "planted_losses.py"):
    load(HERE / faults)


@pytest.fixture
def make_subject(tmp_path):
    """(objective class, **fields of a subject) -> a subject of it."""

    def job(kind):
        plain = train_tiny.tiny_job(tmp_path, num_hidden_layers=1, initializer_range=0.2)
        return replace(plain, objective=kind, config=kind.Config(), steps=1)

    def make(kind, against=None, **fields):
        other = job(against) if against else None
        return Subject(job=job(kind), against=other, start_method="fork", **fields)

    return make
