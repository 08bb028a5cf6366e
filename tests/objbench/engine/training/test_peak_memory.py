"""The peak of a process in bytes, whatever unit its system counts in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from objbench.engine.training import peak_memory
from objbench.engine.training.peak_memory import PeakMemory


@pytest.mark.parametrize(("platform", "counted"), [("linux", 3072), ("darwin", 3 * 2**20)])
def test_without_the_kernels_own_count_the_unit_is_the_systems(monkeypatch, platform, counted):
    """Three mebibytes: ``ru_maxrss`` is in kibibytes on Linux and in bytes on macOS."""
    monkeypatch.setattr(peak_memory, "_reset_resident_peak", lambda: False)
    monkeypatch.setattr(peak_memory.sys, "platform", platform)
    usage = SimpleNamespace(ru_maxrss=counted)
    monkeypatch.setattr(peak_memory.resource, "getrusage", lambda who: usage)
    memory = PeakMemory(torch.device("cpu"))
    assert memory.read() == 3 * 2**20
    assert memory.kind == "process resident since its start"
