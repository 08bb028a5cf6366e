"""Cross-entropy over a vocabulary, together with the linear layer that makes its logits.

Written plainly, the logits (N, V) of N predictions exist once in the compute dtype, in float32,
as log-probabilities, as two gradients in float32 and as one in the compute dtype: 22 bytes for
each logit, 430 MB at 640 predictions of BERT's 30,522 words in bfloat16. But the gradient of the
loss in the logits is known as soon as they are, softmax(z) - onehot(y), up to a factor. So the
forward pass makes a part of the logits, turns it in place into that gradient, computes from it the
gradients of the layer's inputs and weights, and drops it; the backward pass multiplies these by the
factor. Memory is N * D + V * D and one part (not on a CPU: plus its float32 twice), and the three
matrix products are those of the plain computation. (Done for language models by Wijmans et al. 2024, https://arxiv.org/abs/2411.09009, and
Hsu et al. 2024, https://arxiv.org/abs/2410.10989, whose order of work this is.)

The softmax is in float32, in blocks of rows that stay in the cache; the bias is added there too, so
that only the product itself is rounded to the compute dtype. An ``autograd.Function``
rather than a custom operator, so that torch's FLOP counter sees the three products. They take
place in the forward pass, and where gradients are switched off only the first does.

In float16 the loss is computed plainly: the gradient of a logit without its factor, a probability,
underflows in float16, and the factor is what a loss scaler is for.

torch 2.13 has its own ``linear_cross_entropy``. In bfloat16 on a CPU it took seven times as long as
the plain computation at the size above, and it requires that version.

Shape legend: N predictions, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from objbench.contract.batch import IGNORE_INDEX

_PART_ON_CPU, _BLOCK_ON_CPU = 128 * 2**20, 2 * 2**20
"""Bytes of the logits that exist at once, and of those that are worked on at once in float32.

Parts of this size keep the matrix products fast; blocks stay in the cache. On one core of
an EPYC with 1 MiB of L2 and 32 MiB of L3, blocks of 8 to 32 rows of 30,522 words are equally fast,
and all 640 rows at once take 1.6 times as long.
"""

_ALIGNED = 64
"""The rows of a part begin at multiples of this many logits.

A row of 30,522 words begins in the middle of a cache line, and the product that writes such rows in
float32 reaches 88 of the 105 GFLOP/s that it reaches otherwise (one core of an EPYC; 156 of 199 on
two); in bfloat16 the one that reads them 652 of 777 on two.
"""

_PART_ELSEWHERE = 256 * 2**20
"""The same for a GPU, where a part is one block, for few launches. Not measured."""


def linear_cross_entropy(
    states: Tensor,
    weights: Tensor,
    bias: Tensor,
    targets: Tensor,
    factors: Tensor | None = None,
) -> Tensor:
    """Sum over the predictions of -factor * log softmax(states weights^T + bias)[target].

    The same as ``functional.cross_entropy(functional.linear(states, weights, bias).float(),
    targets, reduction="sum")``, autocast included, up to rounding.

    Args:
        states: (N, D).
        weights: (V, D), with their gradient in their own dtype.
        bias: (V,), likewise.
        targets: (N,) int64 in [0, V), or IGNORE_INDEX where nothing is predicted.
        factors: (N,) float32, of each prediction's loss, constants; None: 1.

    Returns:
        () float32, 0 where N is 0. Its gradients have none: differentiating twice is refused.
    """
    kind = states.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
    with torch.autocast(kind, enabled=False):
        if dtype == torch.float16:
            logits = functional.linear(states.to(dtype), weights.to(dtype)).float() + bias.float()
            if factors is None:
                return functional.cross_entropy(
                    logits, targets, ignore_index=IGNORE_INDEX, reduction="sum"
                )
            each = functional.cross_entropy(
                logits, targets, ignore_index=IGNORE_INDEX, reduction="none"
            )
            return (each * factors).sum()
        used = (targets != IGNORE_INDEX).float()
        total: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
            states,
            weights,
            bias,
            targets.clamp(min=0),
            used if factors is None else used * factors,
            dtype,
            torch.is_grad_enabled(),
        )
    return total


class _LinearCrossEntropy(torch.autograd.Function):
    """A scalar function of three tensors that computes its gradients in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weights: Tensor,
        bias: Tensor,
        targets: Tensor,
        factors: Tensor,
        dtype: torch.dtype,
        with_slopes: bool,
    ) -> Tensor:
        rows, matrix, offset = states.to(dtype), weights.to(dtype), bias.float()
        part, block = _rows_at_once(matrix)
        whole = rows.new_empty(min(part, len(rows)), -len(matrix) // _ALIGNED * -_ALIGNED)
        # Seen with torch 2.13 on an Intel Xeon with AMX: where V is no multiple of 32, a product in
        # bfloat16 reads past a row's end and multiplies what is there, by chance NaN, by zero.
        whole[:, len(matrix) :] = 0
        total = offset.new_zeros(())
        of_rows, of_bias = torch.empty_like(rows), torch.zeros_like(offset)
        of_matrix: Tensor | None = None
        # Without predictions there is one empty part, whose gradients are zeros.
        for start in range(0, max(len(rows), 1), part):
            own = slice(start, start + part)
            logits = whole[: len(rows[own]), : len(matrix)]
            torch.mm(rows[own], matrix.t(), out=logits)
            blocks = (torch.split(each, block) for each in (logits, targets[own], factors[own]))
            for z, y, factor in zip(*blocks, strict=True):
                total += _losses(z, y, factor, offset, of_bias if with_slopes else None).sum()
            if with_slopes:
                torch.mm(logits, matrix, out=of_rows[own])
                product = logits.t() @ rows[own]
                of_matrix = product if of_matrix is None else of_matrix.float().add_(product)
        if with_slopes:
            ctx.save_for_backward(of_rows, of_matrix, of_bias)
            ctx.dtypes = states.dtype, weights.dtype, bias.dtype
        return total

    @staticmethod
    @once_differentiable  # second derivatives are not computed
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = gradients
        slopes = [
            slope * factor if slope.dtype == dtype else slope.to(dtype).mul_(factor)
            for slope, dtype in zip(ctx.saved_tensors, ctx.dtypes, strict=True)
        ]
        return (*slopes, None, None, None, None)


def _losses(
    logits: Tensor, targets: Tensor, factors: Tensor, bias: Tensor, of_bias: Tensor | None
) -> Tensor:
    """The losses of a block of predictions, whose logits become their gradients in place.

    Args:
        logits: (n, V) in the compute dtype, the bias not added yet.
        targets: (n,) int64 in [0, V).
        factors: (n,) float32, of the losses; 0 where nothing is predicted.
        bias: (V,) float32.
        of_bias: (V,) float32, to which the gradient of the bias is added; None for no gradients, with
            undefined logits afterwards.

    Returns:
        (n, 1) float32, 0 where nothing is predicted.
    """
    factors, columns = factors.unsqueeze(1), targets.unsqueeze(1)
    scores = logits.float().add_(bias)  # in place where they are float32
    at_target, largest = scores.gather(1, columns), scores.amax(dim=1, keepdim=True)
    # One fused pass. Its largest share, at least 1 / V, gives the divisor.
    shares = torch.softmax(scores, dim=1)
    normaliser = largest - shares.amax(dim=1, keepdim=True).log()
    if of_bias is not None:
        shares.mul_(factors).scatter_add_(1, columns, -factors)
        of_bias.addmv_(shares.t(), torch.ones_like(factors[:, 0]))
        logits.copy_(shares)
    return (normaliser - at_target) * factors


def _rows_at_once(matrix: Tensor) -> tuple[int, int]:
    """Predictions whose logits exist at once, and those processed at once."""
    on_cpu = matrix.device.type == "cpu"
    part = (_PART_ON_CPU if on_cpu else _PART_ELSEWHERE) // (len(matrix) * matrix.element_size())
    block = _BLOCK_ON_CPU // (len(matrix) * 4) if on_cpu else part
    return max(part, 1), max(block, 1)
