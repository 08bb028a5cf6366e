"""What the device can do at most, and the Triton kernels beside the portable ones."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from made_jobs import milliseconds
from own_process import Row, Skip
from torch import Tensor
from torch.nn import functional

from objbench.engine.measuring.ceilings import copy_rate, launch_seconds, product_rate

TOLERANCE = 1e-4
"""Largest accepted difference from float64, relative to the largest number."""


def ceilings(setting: Any, row: Row) -> None:
    """Products of random matrices, copies, and launches of a kernel that does nothing."""
    device, size, seconds = setting.device, 8192, 1.5
    copied, launches = 2**32, 4000
    if setting.dry:
        size, copied, launches, seconds = 64, 2**16, 10, 0.0
    for dtype in (torch.bfloat16, torch.float32):
        rate = product_rate(device, dtype, size, seconds)
        row(what=f"{size}^3 {str(dtype).removeprefix('torch.')}", tflops=rate / 1e12)
    row(what=f"copy of {copied:,} bytes", tb_per_s=copy_rate(device, copied, seconds) / 1e12)
    row(what="empty launch", microseconds=launch_seconds(device, launches) * 1e6)


def peak_of(setting: Any, precision: str) -> float | None:
    """FLOP/s of the products of an earlier part, in training's precision."""
    kind = "bfloat16" if precision == "bf16" else "float32"
    rows = setting.found.get("ceilings", [])
    rates = [row["tflops"] for row in rows if kind in row["what"]]
    return rates[0] * 1e12 if rates else None


def triton(setting: Any, row: Row) -> None:
    """Both kernels against float64 and the portable ones, at a few shapes and blocks."""
    if setting.dry:
        sizes, blocks = [(64, 51, 32)], [None]
    elif find_spec("triton") is None:
        raise Skip("triton is not installed")
    else:
        sizes = [(4096, 51, 512), (262_144, 51, 512)]
        blocks = [(c, d) for c in (32, 64) for d in (64, 128)]
    for anchors, each, width in sizes:
        try:
            _compare(setting, row, anchors, each, width, blocks)
        except torch.OutOfMemoryError:
            row(anchors=anchors, failed="out of memory")


def _compare(setting: Any, row: Row, count: int, each: int, width: int, blocks: list[Any]) -> None:
    device = setting.device
    draw = torch.Generator().manual_seed(0)
    anchors, pool = (torch.randn(count, width, generator=draw).to(device) for _ in range(2))
    candidates = torch.randint(count, (count, each), generator=draw).to(device)
    weights = torch.randn(count, each, generator=draw).to(device)
    some = slice(0, 256)  # of which the exact numbers are computed
    rows = pool[candidates[some]].double()
    exact = {
        "dots": (rows @ anchors[some].double().unsqueeze(2)).squeeze(2),
        "sum": (weights[some].double().unsqueeze(1) @ rows).squeeze(1),
    }
    moved = 4 * count * each * width
    plain = {
        "dots": lambda: _portable_dots(anchors, pool, candidates),
        "sum": lambda: functional.embedding_bag(
            candidates, pool, mode="sum", per_sample_weights=weights
        ),
    }
    made: dict[tuple[str, str], Any] = {(name, "portable"): run for name, run in plain.items()}
    if not setting.dry:
        made |= _triton_kernels(anchors, pool, candidates, weights, blocks)
    shapes, faults = {"dots": (count, each), "sum": (count, width)}, []
    for (name, which), run in made.items():
        # The memory that the result gets: numbers of an earlier run there would hide a fault.
        stale = torch.full(shapes[name], torch.nan, device=device)
        del stale
        try:
            found = run()
        except Exception as error:  # noqa: BLE001 - the others are wanted all the same
            faults.append(f"{name}, {which}: {type(error).__name__}: {error}")
            row(what=f"{name}, {which}", anchors=count, failed=faults[-1])
            continue
        error = (found[some].double() - exact[name]).abs().max() / exact[name].abs().max()
        if not (float(error) <= TOLERANCE and found.isfinite().all()):
            faults.append(f"{name}, {which}: off by {float(error):.1e}")
        taken = milliseconds(lambda _, run=run: run(), device, 2, 3, 2 if setting.dry else 5)
        row(
            what=f"{name}, {which}",
            anchors=count,
            each=each,
            width=width,
            error=float(error),
            ms=min(taken),
            gb_per_s=moved / min(taken) / 1e6,
        )
    if faults:
        raise ArithmeticError("; ".join(faults))


def _triton_kernels(
    anchors: Tensor, pool: Tensor, candidates: Tensor, weights: Tensor, blocks: list[Any]
) -> dict[tuple[str, str], Any]:
    from objbench.blocks import triton_kernels

    def with_blocks(block: tuple[int, int], run: Any) -> Any:
        def call() -> Tensor:
            triton_kernels._CANDIDATES, triton_kernels._COLUMNS = block
            return run()

        return call

    found = {}
    for block in blocks:
        which = f"triton {block[0]} x {block[1]}"
        found["dots", which] = with_blocks(
            block, lambda: triton_kernels.gathered_dots(anchors, pool, candidates)
        )
        found["sum", which] = with_blocks(
            block, lambda: triton_kernels.gathered_sum(pool, candidates, weights)
        )
    return found


def _portable_dots(anchors: Tensor, pool: Tensor, candidates: Tensor) -> Tensor:
    """As ``gathered_dots`` computes them where there is no Triton."""
    from objbench.blocks import sampled_contrast

    before = sampled_contrast._has_triton
    sampled_contrast._has_triton = lambda: False
    try:
        return sampled_contrast.gathered_dots(anchors, pool, candidates)
    finally:
        sampled_contrast._has_triton = before
