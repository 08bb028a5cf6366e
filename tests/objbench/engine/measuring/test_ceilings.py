"""What a device can do at most is measured on random numbers, and counted as it should be."""

import pytest
import torch

from objbench.engine.measuring import ceilings

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_of_random_matrices_that_take_turns(monkeypatch, dtype):
    seen, plain = [], torch.mm

    def noted(left, right, out):
        seen.append((left, right))
        return plain(left, right, out=out)

    monkeypatch.setattr(torch, "mm", noted)
    assert ceilings.product_rate(CPU, dtype, 64, seconds=0.0) > 0
    matrices = {id(one): one.float() for pair in seen for one in pair}
    assert len(matrices) == 2 * ceilings.OPERANDS
    for one in matrices.values():
        # Four standard errors of the mean of 4,096 numbers, and of their deviation.
        assert abs(float(one.mean())) < 4 / 64
        assert abs(float(one.std()) - 1) < 4 / 64 / 2**0.5


def test_rates_are_of_the_fastest_run(monkeypatch):
    # The first run warms up, and the clock that ends the loop is real.
    taken = iter([9.0, 0.5, 0.25, *[0.5] * 1000])
    clock = iter([0.0, 0.1, 0.2, 5.0])
    monkeypatch.setattr(ceilings.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(ceilings, "_timed", lambda work, device: next(taken))
    rate = ceilings.product_rate(CPU, torch.float32, 8, seconds=1.0)
    assert rate == ceilings.OPERANDS * 2 * 8**3 / 0.25


def test_a_copy_counts_what_is_read_and_written(monkeypatch):
    monkeypatch.setattr(ceilings, "_timed", lambda work, device: work() is None or 0.5)
    assert ceilings.copy_rate(CPU, 1000, seconds=0.0) == 2 * 1000 / 0.5


def test_a_launch_is_one_of_many(monkeypatch):
    monkeypatch.setattr(ceilings, "_timed", lambda work, device: 2.0)
    assert ceilings.launch_seconds(CPU, 100) == 2.0 / 100
