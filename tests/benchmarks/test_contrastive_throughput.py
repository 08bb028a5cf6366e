"""How fast the contrastive loss over sampled candidates is, beside a plain implementation.

Run with ``pytest --benchmark-only tests/benchmarks/test_contrastive_throughput.py``. A row is the
loss and its gradients from hidden states and embeddings, K = 50 negatives, float32. The peers
compute the same numbers from the same tensors, alternating with ours:

- ``gathered``: g normalised once, then gathered, (N, 1 + K, D) numbers; the floor is against it;
- ``reference``: as the public TACO script, which gathers hidden states and embeddings and
  subtracts and normalises what it gathered.

Ratios are medians over the rounds of quotients of adjacent timings; memory is the peak of what is
allocated beyond the inputs, by torch's profiler.
"""

from statistics import median

import pytest
import torch
from torch.nn import functional

from objbench.blocks.sampled_contrast import context_vectors, contrastive_loss

ROUNDS, NEGATIVES, TEMPERATURE, TIME, MEMORY = 7, 50, 0.07, 6.0, 0.1
SIZES = {"32 x 128 tokens, width 256": (32, 128, 256), "64 x 256 tokens, width 512": (64, 256, 512)}

pytestmark = pytest.mark.benchmark(group="contrastive loss")


def ours(hidden, embedded, candidates):
    g = context_vectors(hidden, embedded).flatten(0, 1)
    weights = torch.ones(len(g), dtype=torch.bool)
    loss = contrastive_loss(g, g.detach(), candidates, weights, TEMPERATURE)
    return loss.total / loss.count


def gathered(hidden, embedded, candidates):
    g = functional.normalize(hidden - embedded, dim=-1).flatten(0, 1)
    logits = torch.einsum("nd,ncd->nc", g, g.detach()[candidates]) / TEMPERATURE
    return functional.cross_entropy(logits, torch.zeros(len(g), dtype=torch.int64))


def reference(hidden, embedded, candidates):
    h, e = hidden.flatten(0, 1), embedded.flatten(0, 1)
    anchors = functional.normalize(h - e, dim=-1)
    others = functional.normalize(h[candidates] - e[candidates], dim=-1).detach()
    logits = torch.einsum("nd,ncd->nc", anchors, others) / TEMPERATURE
    return functional.cross_entropy(logits, torch.zeros(len(h), dtype=torch.int64))


@pytest.fixture(params=SIZES)
def case(request, measures):
    """A name, hidden states and embeddings with gradient, candidates."""
    rows, length, width = SIZES[request.param] if measures else (2, 9, 16)
    draw = torch.Generator().manual_seed(0)
    states = [torch.randn(rows, length, width, generator=draw).requires_grad_() for _ in range(2)]
    tokens = rows * length
    return request.param, states, torch.randint(tokens, (tokens, 1 + NEGATIVES), generator=draw)


def taken(loss_of, states, candidates):
    """The loss; its gradients are on ``states``."""
    for state in states:
        state.grad = None
    loss = loss_of(*states, candidates)
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("loss_of", [gathered, reference], ids=lambda f: f.__name__)
def test_numbers_are_the_plain_formulas(loss_of, case, benchmark):
    _, states, candidates = case
    found = [taken(ours, states, candidates), *(state.grad for state in states)]
    expected = [taken(loss_of, states, candidates), *(state.grad for state in states)]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-5, atol=1e-5)
    benchmark.pedantic(taken, args=(loss_of, states, candidates), rounds=1)


def test_contrastive_loss_beside_the_gather_formulation(case, seconds, measures, store, benchmark):
    at, states, candidates = case
    rounds = []
    for _ in range(1 + ROUNDS if measures else 1):
        each = []
        for loss_of in (ours, gathered, reference):
            started = seconds()
            taken(loss_of, states, candidates)
            each.append(seconds() - started)
        rounds.append(each)
    if measures:
        ratio, public = (median(each[n] / each[0] for each in rounds[1:]) for n in (1, 2))
        mine, theirs = (median(column) * 1000 for column in list(zip(*rounds[1:], strict=True))[:2])
        store(
            "contrastive loss against the gather formulation, time",
            at,
            f">= {TIME:g}x",
            ratio,
            ratio >= TIME,
            f"{mine:.0f} ms against {theirs:.0f} ms, {torch.get_num_threads()} threads; {public:.1f}x "
            "as gathered by the public script",
        )
    assert benchmark.pedantic(taken, args=(ours, states, candidates), rounds=1).isfinite()


def test_contrastive_memory_beside_the_gather_formulation(
    case, peak_bytes, measures, store, benchmark
):
    at, states, candidates = case
    if measures:
        mine, theirs = (
            peak_bytes(lambda own=loss_of: taken(own, states, candidates))
            for loss_of in (ours, gathered)
        )
        store(
            "contrastive loss against the gather formulation, extra peak memory",
            at,
            f"<= {MEMORY:g}x",
            mine / theirs,
            mine <= MEMORY * theirs,
            f"{mine / 2**20:.0f} MiB against {theirs / 2**20:.0f} MiB",
        )
    assert benchmark.pedantic(taken, args=(ours, states, candidates), rounds=1).isfinite()
