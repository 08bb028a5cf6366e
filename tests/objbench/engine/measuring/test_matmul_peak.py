"""The measured peak is that of the fastest product, of as many FLOPs as its size says."""

import pytest
import torch

from objbench.engine.measuring import matmul_peak as module
from objbench.engine.measuring.matmul_peak import measure_matmul_peak


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_real_peak_is_above_nothing_and_names_its_matrices(monkeypatch, precision):
    monkeypatch.setattr(module, "_SIZE_ON_CPU", 64)
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    found = measure_matmul_peak(torch.device("cpu"), precision)
    assert found.flops_per_second > 0
    assert (found.precision, found.size) == (precision, 64)


def test_the_fastest_of_several_counts(monkeypatch):
    times = iter([0.5, 0.25, 1.0])

    class Watch:
        def __init__(self, device):
            pass

        def start(self):
            pass

        def pause(self):
            return next(times)

    monkeypatch.setattr(module, "Stopwatch", Watch)
    monkeypatch.setattr(module, "_SIZE_ON_CPU", 8)
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    found = measure_matmul_peak(torch.device("cpu"), "fp32")
    assert found.flops_per_second == 2 * 8**3 / 0.25
