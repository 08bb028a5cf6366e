"""The two kernels of ``objbench.blocks.sampled_contrast`` for CUDA, in Triton.

They have never run on a GPU in this project, and their speed is unmeasured: tests compare their
numbers with the portable kernels' under Triton's interpreter on a CPU. They compute what
``sampled_addmm`` and ``embedding_bag`` compute on any device, for the case at hand: equally many
candidates for every anchor, all in float32. Each block of candidates is read from the pool
once and reduced in registers; nothing of (anchors x candidates x width) reaches memory.

The sizes of the blocks are guesses, to be tuned on a GPU: 32 candidates by 128 columns are 4,096
numbers, or 16 KiB, per program. Imported only for a CUDA tensor, if triton is installed, as it is
with torch for CUDA.

Shape legend: N anchors, C candidates of each, P vectors in the pool, D width.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_CANDIDATES = 32
_COLUMNS = 128


@triton.jit  # type: ignore[untyped-decorator]
def _dots(
    anchors: Any,
    pool: Any,
    candidates: Any,
    dots: Any,
    each: Any,
    width: Any,
    CANDIDATES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    # 64 bits: N * C and P * D may both pass 2^31.
    anchor = tl.program_id(0).to(tl.int64)
    places = tl.program_id(1) * CANDIDATES + tl.arange(0, CANDIDATES)
    is_place = places < each
    rows = tl.load(candidates + anchor * each + places, mask=is_place, other=0)
    total = tl.zeros((CANDIDATES,), dtype=tl.float32)
    for start in range(0, width, COLUMNS):
        columns = start + tl.arange(0, COLUMNS)
        is_column = columns < width
        own = tl.load(anchors + anchor * width + columns, mask=is_column, other=0.0)
        block = tl.load(
            pool + rows[:, None] * width + columns[None, :],
            mask=is_place[:, None] & is_column[None, :],
            other=0.0,
        )
        total += tl.sum(block * own[None, :], axis=1)
    tl.store(dots + anchor * each + places, total, mask=is_place)


@triton.jit  # type: ignore[untyped-decorator]
def _sums(
    pool: Any,
    candidates: Any,
    weights: Any,
    sums: Any,
    each: Any,
    width: Any,
    CANDIDATES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    anchor = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    is_column = columns < width
    total = tl.zeros((COLUMNS,), dtype=tl.float32)
    for start in range(0, each, CANDIDATES):
        places = start + tl.arange(0, CANDIDATES)
        is_place = places < each
        rows = tl.load(candidates + anchor * each + places, mask=is_place, other=0)
        factors = tl.load(weights + anchor * each + places, mask=is_place, other=0.0)
        block = tl.load(
            pool + rows[:, None] * width + columns[None, :],
            mask=is_place[:, None] & is_column[None, :],
            other=0.0,
        )
        total += tl.sum(block * factors[:, None], axis=0)
    tl.store(sums + anchor * width + columns, total, mask=is_column)


def gathered_dots(anchors: Tensor, pool: Tensor, candidates: Tensor) -> Tensor:
    """s[n, c] = <anchors[n], pool[candidates[n, c]]>.

    Args:
        anchors: (N, D) float32.
        pool: (P, D) float32.
        candidates: (N, C) int64 rows of the pool, not checked.

    Returns:
        (N, C) float32.
    """
    anchors, pool, candidates = anchors.contiguous(), pool.contiguous(), candidates.contiguous()
    (count, each), width = candidates.shape, pool.shape[1]
    dots = torch.empty(count, each, dtype=torch.float32, device=pool.device)
    if dots.numel():
        grid = count, triton.cdiv(each, _CANDIDATES)
        _dots[grid](
            anchors, pool, candidates, dots, each, width, CANDIDATES=_CANDIDATES, COLUMNS=_COLUMNS
        )
    return dots


def gathered_sum(pool: Tensor, candidates: Tensor, weights: Tensor) -> Tensor:
    """Sum over c of weights[n, c] * pool[candidates[n, c]].

    Args:
        pool: (P, D) float32.
        candidates: (N, C) int64 rows of the pool, not checked.
        weights: (N, C) float32.

    Returns:
        (N, D) float32.
    """
    pool, candidates, weights = pool.contiguous(), candidates.contiguous(), weights.contiguous()
    (count, each), width = candidates.shape, pool.shape[1]
    sums = torch.empty(count, width, dtype=torch.float32, device=pool.device)
    if sums.numel():
        grid = count, triton.cdiv(width, _COLUMNS)
        _sums[grid](
            pool, candidates, weights, sums, each, width, CANDIDATES=_CANDIDATES, COLUMNS=_COLUMNS
        )
    return sums
