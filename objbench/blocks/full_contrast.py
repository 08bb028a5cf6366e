"""A contrastive loss against every token of the other sequences, without the matrix of all pairs.

Written plainly, the loss builds the similarities of all anchors with all tokens, (N, P) numbers:
1 GiB in float32 at 64 x 256 tokens, and as much again for their exponentials and for the backward
pass. But the pool is constant, so all that the backward pass needs of that matrix is, for each
anchor, the mean of the candidates weighted by their softmax. That is attention with the pool as keys and as
values, and as in attention both the normaliser and the mean can be accumulated over blocks of the
pool with a running maximum (Milakov & Gimelshein 2018, https://arxiv.org/abs/1805.02867, for the
softmax; Rabe & Staats 2021, https://arxiv.org/abs/2112.05682, for the mean). So the forward pass
leaves the gradient of every anchor's loss, (N, D) numbers, and the backward pass is one scaling:
nothing is computed twice, and memory is N * D and one block.

A running maximum is used instead of a fixed shift: similarities of unit vectors are bounded by 1, but
exp(2 / tau) leaves float32 at temperatures below 0.023, and finding the maximum of a block that
is in the cache costs almost nothing compared with the two matrix products of width D that each
similarity costs. The maximum starts at the positive's logit, so it is finite where everything
else is masked.

Wrapped as a custom operator, as in ``objbench.blocks.sampled_contrast`` and for its reasons: torch.compile
treats it as one opaque node, and torch's FLOP counter does not see it, so a term that uses it
declares ``exhaustive_flops``. It runs in float32 for the reasons given there, whatever the autocast.
Measured on a CPU only; its speed on CUDA is not known yet.

Shape legend: B sequences with anchors, A anchors of each, N = B * A, R sequences in the pool,
T tokens of each, P = R * T, D width.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from objbench.contract.term import TermLoss

_BLOCK_ON_CPU = (512, 1024)
"""Anchors and tokens compared at once: 2 MiB, read and written while in the cache.

Measured on one core of an EPYC with 1 MiB of L2 and 32 MiB of L3 at width 512, every shape from
512 x 512 to 2048 x 4096 is within 6% of this one. At 64 x 256 tokens the loss and its gradient
take 1.07 times the processor time of the two bare products, at 90 GFLOP/s
(``tests/benchmarks/test_exhaustive_throughput.py``).
"""

_BLOCK_ELSEWHERE = (4096, 4096)
"""64 MiB: enough work for one launch to keep a GPU busy. Not measured."""


def block_shape(device: torch.device) -> tuple[int, int]:
    """Anchors and tokens of one block of similarities."""
    return _BLOCK_ON_CPU if device.type == "cpu" else _BLOCK_ELSEWHERE


def _slices(count: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _sequences(rows: slice, each: int) -> tuple[int, int]:
    """The first and the last sequence of ``each`` rows that some of ``rows`` belong to."""
    return rows.start // each, (rows.stop - 1) // each


def _accumulate(
    logits: Tensor, tokens: Tensor, top: Tensor, total: Tensor, mean: Tensor | None
) -> Tensor:
    """Add one block to the sums over candidates, which are relative to the maximum so far.

    Args:
        logits: (n, p), overwritten.
        tokens: (p, D), the candidates.
        top: (n,), the maximum before this block, overwritten.
        total: (n,), the sum of exp(logit - maximum), changed.
        mean: (n, D), the sum of exp(logit - maximum) * candidate, changed; None if not needed.

    Returns:
        (n,), the maximum now.
    """
    higher = torch.maximum(top, logits.amax(dim=1))
    logits.sub_(higher.unsqueeze(1)).exp_()
    shrunk = top.sub_(higher).exp_()
    total.mul_(shrunk).add_(logits.sum(dim=1))
    if mean is not None:
        mean.mul_(shrunk.unsqueeze(1))
        torch.addmm(mean, logits, tokens, out=mean)
    return higher


@torch.library.custom_op("objbench::exhaustive_losses", mutates_args=())
def _exhaustive_losses(
    anchors: Tensor,
    pool: Tensor,
    positives: Tensor,
    real: Tensor | None,
    first: int,
    temperature: float,
    with_slopes: bool,
) -> tuple[Tensor, Tensor]:
    (sequences, each, width), length = anchors.shape, pool.shape[1]
    flat, tokens = anchors.reshape(-1, width), pool.reshape(-1, width)
    # Of each anchor and of each token, the sequence that it belongs to.
    owners = torch.arange(len(flat), device=pool.device) // each + first
    holders = torch.arange(len(tokens), device=pool.device) // length
    targets = owners * length + positives.reshape(-1)
    padding = None
    if real is not None:
        padding = flat.new_zeros(len(tokens)).masked_fill_(~real.reshape(-1), -math.inf)
    height, breadth = block_shape(pool.device)
    block = flat.new_empty(min(height, len(flat)), min(breadth, len(tokens)))
    losses = flat.new_empty(len(flat))
    slopes = torch.empty_like(flat) if with_slopes else flat.new_empty(0, width)
    for mine in _slices(len(flat), height):
        query, positive = flat[mine] / temperature, tokens[targets[mine]]
        logit = (query * positive).sum(dim=1)
        top, total = logit.clone(), torch.ones_like(logit)
        mean = slopes[mine].copy_(positive) if with_slopes else None
        earliest, latest = (first + sequence for sequence in _sequences(mine, each))
        for part in _slices(len(tokens), breadth):
            logits = block[: len(query), : part.stop - part.start]
            torch.mm(query, tokens[part].t(), out=logits)
            start, end = _sequences(part, length)
            if start <= latest and end >= earliest:
                is_own = owners[mine].unsqueeze(1) == holders[part]
                logits.masked_fill_(is_own, -math.inf)
            if padding is not None:
                logits.add_(padding[part])
            top = _accumulate(logits, tokens[part], top, total, mean)
        losses[mine] = total.log() + top - logit
        if mean is not None:
            mean.div_(total.unsqueeze(1)).sub_(positive).div_(temperature)
    return losses.view(sequences, each), slopes.view(sequences, each if with_slopes else 0, width)


@_exhaustive_losses.register_fake
def _(anchors: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    (sequences, each, width), with_slopes = anchors.shape, others[-1]
    slopes = anchors.new_empty(sequences, each if with_slopes else 0, width)
    return anchors.new_empty(sequences, each), slopes


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1])


def _backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    (slopes,) = ctx.saved_tensors
    return slopes * gradient.unsqueeze(-1), None, None, None, None, None, None


_exhaustive_losses.register_autograd(_backward, setup_context=_keep)
for _device in ("cpu", "cuda"):
    # Inside, products of float32 stay so.
    _exhaustive_losses.register_autocast(_device, torch.float32)


def exhaustive_flops(anchors: int, pool: int, width: int) -> float:
    """FLOPs of ``exhaustive_contrastive_loss``, forward and backward, 2 per multiply-add.

    Two products of every anchor with every token of the pool, the similarities and the mean:
    4 * N * P * D. Pairs that are masked (own sequence, padding) are computed and counted, as
    those of attention are.
    """
    return 4.0 * anchors * pool * width


def exhaustive_contrastive_loss(
    anchors: Tensor,
    pool: Tensor,
    positives: Tensor,
    real: Tensor | None,
    first: int,
    weights: Tensor,
    temperature: float,
) -> TermLoss:
    """Sum over anchors of the cross-entropy of picking the positive among all negatives.

    With s[n, c] = <anchor[n], pool[c]> and as negatives C(n) every real token of the sequences
    that n does not belong to,

    loss[n] = -log( exp(s[n, p] / tau) / sum over c in C(n) and p of exp(s[n, c] / tau) )
    d loss[n] / d anchor[n] = (sum over c in C(n) and p of q[n, c] pool[c] - pool[p]) / tau

    with q the softmax over the same candidates: ``contrastive_loss`` with all of these listed.

    Args:
        anchors: (B, A, D) float32, with gradient; those of one sequence together.
        pool: (R, T, D) float32, detached: positives and negatives carry no gradient.
        positives: (B, A) int64, columns of the anchor's own sequence in [0, T); not checked, since
            a check would wait for the device.
        real: (R, T) bool, False at padding; None where nothing is padded.
        first: the sequence of the pool that the first row of anchors belongs to.
        weights: (B, A) bool or float, each anchor's factor; 0 leaves an anchor out.
        temperature: tau, positive.

    Returns:
        total, the weighted sum; count, the sum of the weights; both () float32.
    """
    with_slopes = torch.is_grad_enabled() and anchors.requires_grad
    losses, _ = _exhaustive_losses(anchors, pool, positives, real, first, temperature, with_slopes)
    factors = weights.to(losses.dtype)
    return TermLoss(total=(losses * factors).sum(), count=factors.sum())
