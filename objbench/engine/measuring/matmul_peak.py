"""The most FLOPs a second that this device gives a matrix product: what a step's are held against.

A product of square matrices that is large enough to be limited by arithmetic, in the dtype that
the step's products have, on as many threads. It is what the library reaches here, not what the
maker says of the chip, so that a share of it needs no table of devices.
"""

from __future__ import annotations

import time

import torch

from objbench.engine.training.stopwatch import Stopwatch
from objbench.results.step_breakdown import MatmulPeak

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SIZE_ON_CPU, _SIZE_ELSEWHERE = 1024, 8192
_SECONDS, _FEWEST = 0.2, 3


def measure_matmul_peak(device: torch.device, precision: str) -> MatmulPeak:
    """The best of some products in about 0.2 s, or of three where one takes longer.

    Args:
        device: where to measure.
        precision: "fp32" (with whatever torch makes of it, such as TF32), "bf16" or "fp16".
    """
    size = _SIZE_ON_CPU if device.type == "cpu" else _SIZE_ELSEWHERE
    left = torch.ones(size, size, dtype=_DTYPES[precision], device=device)
    product = left @ left  # the kernel is loaded
    shortest, taken = float("inf"), 0
    started = time.monotonic()
    while taken < _FEWEST or time.monotonic() - started < _SECONDS:
        watch = Stopwatch(device)
        watch.start()
        torch.mm(left, left, out=product)
        shortest = min(shortest, watch.pause())
        taken += 1
    return MatmulPeak(flops_per_second=2 * size**3 / shortest, precision=precision, size=size)
