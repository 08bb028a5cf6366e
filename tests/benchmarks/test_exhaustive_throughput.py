"""How fast the loss against all tokens is, beside the matrix products that it must compute.

Run with ``pytest --benchmark-only tests/benchmarks/test_exhaustive_throughput.py``. A row is the
loss and its gradient for 64 x 256 tokens at width 512 in float32 on one thread: 2.7e8 pairs. The
bare products are the two that are unavoidable, every anchor with every token and back, in blocks of
the same shape and with nothing in between. Both alternate and are timed in CPU time, so that other
work on the machine affects both equally. The ratio is the median over the rounds of their quotient.

Without ``--benchmark-only`` the sizes are small and only the numbers are checked.
"""

import time
from statistics import median

import pytest
import torch
from torch.nn import functional

from objbench.blocks.full_contrast import block_shape, exhaustive_contrastive_loss, exhaustive_flops

ROUNDS, TEMPERATURE, MOST = 3, 0.07, 1.5

pytestmark = pytest.mark.benchmark(group="exhaustive loss")


def bare_products(anchors, pool):
    """Similarities and sums of the pool weighted by them, (N, D), a block at a time."""
    height, breadth = block_shape(pool.device)
    sums = torch.zeros_like(anchors)
    block = anchors.new_empty(height, breadth)
    for start in range(0, len(anchors), height):
        query, own = anchors[start : start + height], sums[start : start + height]
        for first in range(0, len(pool), breadth):
            part = pool[first : first + breadth]
            similarities = torch.mm(query, part.t(), out=block[: len(query), : len(part)])
            torch.addmm(own, similarities, part, out=own)
    return sums


def seconds_of(work):
    """Processor seconds; one thread."""
    started = time.process_time()
    work()
    return time.process_time() - started


def test_exhaustive_loss_beside_its_matrix_products(benchmark, measures, store):
    whole = measures
    rows, length, width = (64, 256, 512) if whole else (3, 40, 16)
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(rows, length, width, generator=generator)
    pool = functional.normalize(states, dim=-1)
    anchors = pool.clone().requires_grad_()
    positives = torch.randint(length, (rows, length), generator=generator)
    weights = torch.ones(rows, length)
    flat = pool.flatten(0, 1)

    def ours():
        anchors.grad = None
        loss = exhaustive_contrastive_loss(anchors, pool, positives, None, 0, weights, TEMPERATURE)
        loss.total.backward()
        return loss.total.detach()

    def bare():
        return bare_products(flat, flat)

    if whole:
        ours()
        both = [(seconds_of(ours), seconds_of(bare)) for _ in range(ROUNDS)]
        mine, theirs = zip(*both, strict=True)
        flops = exhaustive_flops(rows * length, rows * length, width)
        ratio = median(a / b for a, b in both)
        store(
            "all-negatives contrastive loss against its bare matrix products",
            f"{rows} x {length} tokens, width {width}, float32",
            f"<= {MOST}x",
            ratio,
            ratio <= MOST,
            f"processor's {median(mine):.1f} s against {median(theirs):.1f} s, "
            f"{flops / median(mine) / 1e9:.0f} GFLOP/s; never a tokens x tokens matrix in memory",
        )
    value = benchmark.pedantic(ours, rounds=1)
    assert value.isfinite()
    if not whole:
        logits = flat @ flat.t() / TEMPERATURE
        near = (torch.arange(rows).unsqueeze(1) * length + positives).flatten()
        own = torch.block_diag(*[torch.ones(length, length)] * rows).bool()
        own[torch.arange(rows * length), near] = False
        logits.masked_fill_(own, -torch.inf)
        expected = functional.cross_entropy(logits, near, reduction="sum")
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-3)
