"""A contrastive loss over sampled candidates that never builds the gathered tensor.

Written plainly, the loss gathers a vector for each candidate of each anchor, (N, C, D) numbers,
only to reduce them to (N, C) similarities immediately: 214 MB at 32 x 128 tokens, 51 candidates and
width 256, and as much again in the backward pass. Both directions are known operations:

- forward, s[n, c] = <anchor[n], pool[i[n, c]]> is a matrix product sampled at given places
  (SDDMM; ``torch.sparse.sampled_addmm``);
- backward, d anchor[n] = sum over c of ds[n, c] * pool[i[n, c]] is an embedding bag with weights
  (``torch.nn.functional.embedding_bag``).

Both read the pool in place, or on a CPU slices of its columns. They are wrapped as two custom
operators, so that torch.compile treats each as one opaque node without a graph break. torch's FLOP
counter sees neither: a term that uses them declares ``similarity_flops``.

If the candidates are all tokens of the other sequences, see ``objbench.blocks.full_contrast``.

Everything is in float32: the encoder's bfloat16 vectors are converted before they are normalised,
so that the similarities are accumulated and divided by a small temperature in full precision.
Measured on a CPU only. On CUDA both are kernels of ``objbench.blocks.triton_kernels`` if triton is
installed, otherwise torch's own; the speed of neither is known there yet.

Shape legend: N anchors, C candidates of each, P vectors in the pool, D width.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from objbench.contract.term import TermLoss

CACHE_BYTES = 8 * 2**20
"""How much of the pool one pass over the candidates may touch on a CPU.

Candidates are random rows, so in a pool larger than the cache each costs a miss. The width is cut
into slices that fit, and the slices' results are added up: measured on an EPYC with 32 MiB of L3,
16,384 x 512: 196 -> 78 ms forward, 127 -> 57 ms backward. The numbers differ by rounding only.
"""

_NARROWEST = 64
"""Slices narrower than this cost more in overhead than they save in misses."""

_EPSILON = 1e-12
"""Smallest norm divided by, as in ``torch.nn.functional.normalize``."""


def column_slices(pool: Tensor) -> list[slice]:
    """The slices of the columns of ``pool`` (P, D) float32 to work on one at a time."""
    rows, width = pool.shape
    step = width
    if pool.device.type == "cpu":
        fitting = CACHE_BYTES // (pool.element_size() * max(rows, 1))
        step = max(_NARROWEST, fitting // _NARROWEST * _NARROWEST)
    return [slice(start, start + step) for start in range(0, width, step)]


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _acknowledge_beta() -> None:
    # torch warns once per process that its CSR tensors are in beta; users cannot act on that.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        places = torch.zeros(1, dtype=torch.int64)
        torch.sparse_csr_tensor(torch.zeros(2, dtype=torch.int64), places[:0], [], size=(1, 1))


@torch.library.custom_op("objbench::gathered_dots", mutates_args=())
def _gathered_dots(anchors: Tensor, pool: Tensor, candidates: Tensor) -> Tensor:
    if pool.is_cuda and _has_triton():
        from objbench.blocks import triton_kernels as triton_dots

        return triton_dots.gathered_dots(anchors, pool, candidates)
    _acknowledge_beta()
    count, each = candidates.shape
    if pool.shape[0] < each:
        # torch refuses a sparse matrix with more entries than places; unused rows make room.
        pool = functional.pad(pool, (0, 0, 0, each - pool.shape[0]))
    starts = torch.arange(0, candidates.numel() + 1, each, device=candidates.device)
    dots = torch.sparse_csr_tensor(
        starts,
        candidates.reshape(-1),
        anchors.new_zeros(candidates.numel()),
        size=(count, pool.shape[0]),
        check_invariants=False,  # it would wait for the device
    )
    for part in column_slices(pool):
        columns = pool[:, part].contiguous().t()
        dots = torch.sparse.sampled_addmm(dots, anchors[:, part].contiguous(), columns)
    return dots.values().view(count, each)


@_gathered_dots.register_fake
def _(anchors: Tensor, pool: Tensor, candidates: Tensor) -> Tensor:
    return anchors.new_empty(candidates.shape)


@torch.library.custom_op("objbench::gathered_sum", mutates_args=())
def _gathered_sum(pool: Tensor, candidates: Tensor, weights: Tensor) -> Tensor:
    if pool.is_cuda and _has_triton():
        from objbench.blocks import triton_kernels as triton_dots

        return triton_dots.gathered_sum(pool, candidates, weights)
    sums = [
        functional.embedding_bag(
            candidates, pool[:, part].contiguous(), mode="sum", per_sample_weights=weights
        )
        for part in column_slices(pool)
    ]
    return sums[0] if len(sums) == 1 else torch.cat(sums, dim=1)


@_gathered_sum.register_fake
def _(pool: Tensor, candidates: Tensor, weights: Tensor) -> Tensor:
    return pool.new_empty(candidates.shape[0], pool.shape[1])


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
    _, pool, candidates = inputs
    ctx.save_for_backward(pool, candidates)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
    pool, candidates = ctx.saved_tensors
    return _gathered_sum(pool, candidates, gradient.contiguous()), None, None


_gathered_dots.register_autograd(_backward, setup_context=_keep)


def gathered_dots(anchors: Tensor, pool: Tensor, candidates: Tensor) -> Tensor:
    """The inner products of each anchor with its candidates.

    s[n, c] = sum over d of anchors[n, d] * pool[candidates[n, c], d]. The pool is constant: the
    gradient goes to the anchors only, as the sum of the candidates weighted by ds.

    Args:
        anchors: (N, D) float32.
        pool: (P, D) float32, detached.
        candidates: (N, C) int64 rows of the pool, repeats allowed; not checked, since a check
            would wait for the device: an index outside [0, P) is undefined behaviour.

    Returns:
        (N, C) float32.
    """
    dots: Tensor = _gathered_dots(anchors, pool, candidates)
    return dots


def similarity_flops(anchors: int, candidates: int, width: int) -> float:
    """FLOPs of ``gathered_dots``, forward and backward, 2 per multiply-add.

    The inner products forward and the weighted sums backward: 4 * N * C * D in all.
    """
    return 4.0 * anchors * candidates * width


class _UnitDifference(torch.autograd.Function):
    """(h - e) / |h - e| with a backward pass that reads memory few times.

    Written with ``functional.normalize`` the backward pass alone makes eight (B, T, D) tensors,
    which takes longer than all the similarities. With G the gradient of g and n = |h - e|:
    dh = (G - g <g, G>) / n, de = -dh.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, embeddings: Tensor) -> Tensor:
        unit = hidden.float() - embeddings.float()
        norm = torch.linalg.vector_norm(unit, dim=-1, keepdim=True).clamp_min_(_EPSILON)
        unit.div_(norm)
        ctx.save_for_backward(unit, norm)
        ctx.dtypes = hidden.dtype, embeddings.dtype
        return unit

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        unit, norm = ctx.saved_tensors
        (gradient,) = gradients
        along = (gradient * unit).sum(dim=-1, keepdim=True)
        change = torch.addcmul(gradient, unit, along, value=-1).div_(norm)
        hidden, embeddings = ctx.dtypes
        return change.to(hidden), change.neg().to(embeddings)


def context_vectors(last_hidden_state: Tensor, embedding_output: Tensor) -> Tensor:
    """What the encoder adds to the embedding of each token: g = (h - e) / |h - e|.

    As in TACO's code (Fu et al. 2022), e is the output of the whole embedding layer for the
    corrupted input (word + position + type, normalised, after dropout), not the word embedding.
    Computed once for all roles of a token.

    Args:
        last_hidden_state: h, (B, T, D) in any floating dtype.
        embedding_output: e, (B, T, D).

    Returns:
        (B, T, D) float32 of unit length (zero where h = e), with gradients to both.
    """
    vectors: Tensor = _UnitDifference.apply(  # type: ignore[no-untyped-call]
        last_hidden_state, embedding_output
    )
    return vectors


def contrastive_loss(
    anchors: Tensor, pool: Tensor, candidates: Tensor, weights: Tensor, temperature: float
) -> TermLoss:
    """Sum over anchors of the cross-entropy of picking the positive among the candidates.

    loss[n] = -log( exp(s[n, 0] / tau) / sum over c of exp(s[n, c] / tau) ), with s as in
    ``gathered_dots``: InfoNCE (van den Oord et al. 2018) with the positive among the terms of
    the denominator, as in TACO's code.

    Args:
        anchors: (N, D) float32, with gradient.
        pool: (P, D) float32, detached: positives and negatives carry no gradient.
        candidates: (N, 1 + K) int64 rows of the pool, the positive first.
        weights: (N,) bool or float, each anchor's factor; 0 leaves an anchor out.
        temperature: tau, positive.

    Returns:
        total, the weighted sum; count, the sum of the weights; both () float32.
    """
    logits = gathered_dots(anchors, pool, candidates) / temperature
    losses = torch.logsumexp(logits, dim=1) - logits[:, 0]
    factors = weights.to(losses.dtype)
    # Not `losses @ factors`, which autocast would round to bfloat16.
    return TermLoss(total=(losses * factors).sum(), count=factors.sum())
