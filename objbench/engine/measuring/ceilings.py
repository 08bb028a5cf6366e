"""What a device can do at most: products of matrices and copies of memory.

A share of the peak is a step's FLOPs per second over ``product_rate``. The matrices are random:
products of ones or zeros toggle fewer bits, need less power, and so run faster on a processor that
is limited by its power. Measured so, every share of the peak would be too low.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

OPERANDS = 4
"""Pairs of matrices that take turns, so that no product finds its operands where it left them."""


def product_rate(device: torch.device, dtype: torch.dtype, size: int, seconds: float) -> float:
    """FLOP/s of the fastest of the products of square matrices that ``seconds`` suffice for.

    Args:
        device: where they are.
        dtype: of the matrices, drawn from N(0, 1) with a fixed seed.
        size: rows of a matrix, and its columns.
        seconds: how long to go on; every pair is multiplied twice at least.
    """
    draw = torch.Generator().manual_seed(0)
    pairs = [
        [torch.randn(size, size, generator=draw).to(device, dtype) for _ in range(2)]
        for _ in range(OPERANDS)
    ]
    product = torch.empty(size, size, device=device, dtype=dtype)

    def multiply() -> None:
        for left, right in pairs:
            torch.mm(left, right, out=product)

    return OPERANDS * 2 * size**3 / _shortest(multiply, device, seconds)


def copy_rate(device: torch.device, size: int, seconds: float) -> float:
    """Bytes/s, read and written together, of the fastest copy within ``device``.

    Args:
        size: bytes of what is copied; more than the caches hold.
        seconds: how long to go on; it is copied twice at least.
    """
    source = torch.randint(256, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / _shortest(lambda: target.copy_(source), device, seconds)


def launch_seconds(device: torch.device, launches: int) -> float:
    """Seconds that the host needs to launch an operator that has nothing to do."""
    least = torch.zeros(1, device=device)

    def launch() -> None:
        for _ in range(launches):
            least.add_(0)

    return _shortest(launch, device, 0.0) / launches


def _shortest(work: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Seconds of the fastest run of ``work`` after a first one, of at least one."""
    _timed(work, device)
    began = time.perf_counter()
    shortest = _timed(work, device)
    while time.perf_counter() - began < seconds:
        shortest = min(shortest, _timed(work, device))
    return shortest


def _timed(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
