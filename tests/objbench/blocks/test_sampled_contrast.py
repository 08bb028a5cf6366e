"""The contrastive kernel against plain loops in float64 and against the gathered formulation."""

import math

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from objbench.blocks import sampled_contrast as contrastive
from objbench.blocks.sampled_contrast import (
    context_vectors,
    contrastive_loss,
    gathered_dots,
    similarity_flops,
)


def case(seed=0, anchors=10, pool=23, negatives=6, width=8):
    generator = torch.Generator().manual_seed(seed)
    vectors = functional.normalize(torch.randn(pool, width, generator=generator), dim=-1)
    mine = functional.normalize(torch.randn(anchors, width, generator=generator), dim=-1)
    candidates = torch.randint(pool, (anchors, 1 + negatives), generator=generator)
    candidates[0, :] = candidates[0, 0]  # repeats are allowed
    weights = torch.arange(anchors) % 3 != 0
    return mine.requires_grad_(), vectors, candidates, weights


def loops(anchors, pool, candidates, weights, temperature):
    """The formula, one number at a time: total, count and the gradient of the anchors."""
    total, gradient = 0.0, [[0.0] * anchors.shape[1] for _ in range(len(anchors))]
    for n, chosen in enumerate(candidates.tolist()):
        if not weights[n]:
            continue
        a = anchors[n].tolist()
        logits = []
        for row in chosen:
            b = pool[row].tolist()
            logits.append(sum(x * y for x, y in zip(a, b, strict=True)) / temperature)
        exponentials = [math.exp(logit) for logit in logits]
        total -= math.log(exponentials[0] / sum(exponentials))
        for place, row in enumerate(chosen):
            slope = exponentials[place] / sum(exponentials) - (place == 0)
            for d, value in enumerate(pool[row].tolist()):
                gradient[n][d] += slope * value / temperature
    return total, int(weights.sum()), torch.tensor(gradient)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_loss_and_gradient_equal_the_loops(temperature):
    anchors, pool, candidates, weights = case()
    loss = contrastive_loss(anchors, pool, candidates, weights, temperature)
    loss.total.backward()
    total, count, gradient = loops(
        anchors.detach().double(), pool.double(), candidates, weights, temperature
    )
    assert loss.total.item() == pytest.approx(total, rel=1e-5)
    assert loss.count.item() == count
    torch.testing.assert_close(anchors.grad, gradient, rtol=1e-5, atol=1e-5)
    assert loss.total.dtype == loss.count.dtype == torch.float32


def test_a_pool_smaller_than_the_number_of_candidates():
    anchors, pool, candidates, _ = case(pool=3, negatives=20)
    expected = anchors @ pool.t()
    torch.testing.assert_close(
        gathered_dots(anchors, pool, candidates), expected.gather(1, candidates)
    )


def test_equal_vectors_give_the_log_of_the_number_of_candidates():
    ones = functional.normalize(torch.ones(5, 4), dim=-1)
    loss = contrastive_loss(
        ones, ones, torch.zeros(5, 7, dtype=torch.int64), torch.ones(5), temperature=0.07
    )
    assert (loss.total / loss.count).item() == pytest.approx(math.log(7), rel=1e-5)


@pytest.mark.parametrize("width", [64, 200, 256])
def test_slices_of_the_width_change_rounding_only(monkeypatch, width):
    results = []
    for cache in (2**40, 1):
        monkeypatch.setattr(contrastive, "CACHE_BYTES", cache)
        anchors, pool, candidates, weights = case(anchors=40, pool=50, width=width)
        contrastive_loss(anchors, pool, candidates, weights, 0.07).total.backward()
        results.append((gathered_dots(anchors, pool, candidates), anchors.grad))
    assert len(contrastive.column_slices(pool)) == math.ceil(width / 64)
    for one, many in zip(*results, strict=True):
        torch.testing.assert_close(one, many, rtol=1e-5, atol=1e-5)


def test_only_the_anchors_get_a_gradient_and_left_out_anchors_none():
    anchors, pool, candidates, weights = case()
    pool.requires_grad_()
    contrastive_loss(anchors, pool, candidates, weights, 0.07).total.backward()
    assert pool.grad is None
    assert not anchors.grad[~weights].any()
    assert anchors.grad[weights].abs().sum(dim=1).gt(0).all()


def test_context_vectors_are_normalised_differences_with_the_gradient_of_normalize():
    generator = torch.Generator().manual_seed(0)
    h, e, gradient = (torch.randn(2, 3, 8, generator=generator) for _ in range(3))
    leaves = [tensor.clone().requires_grad_() for tensor in (h, e, h, e)]
    ours = context_vectors(leaves[0], leaves[1])
    plain = functional.normalize(leaves[2] - leaves[3], dim=-1)
    torch.testing.assert_close(ours, plain)
    ours.backward(gradient)
    plain.backward(gradient)
    torch.testing.assert_close(leaves[0].grad, leaves[2].grad)
    torch.testing.assert_close(leaves[1].grad, leaves[3].grad)
    assert torch.equal(leaves[0], h)


def test_equal_hidden_state_and_embedding_give_a_finite_zero():
    h = torch.ones(1, 2, 4, requires_grad=True)
    g = context_vectors(h, torch.ones(1, 2, 4))
    g.sum().backward()
    assert not g.any()
    assert h.grad.isfinite().all()


def test_bfloat16_states_are_compared_in_float32():
    states = torch.randn(2, 2, 3, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    h, e = states[0].clone().requires_grad_(), states[1]
    g = context_vectors(h, e)
    exact = functional.normalize(h.detach().float() - e.float(), dim=-1)
    assert g.dtype == torch.float32
    torch.testing.assert_close(g, exact)
    candidates = torch.tensor([[1, 4, 5]] * 6)
    with torch.autocast("cpu", torch.bfloat16):
        vectors = g.flatten(0, 1)
        loss = contrastive_loss(vectors, vectors.detach(), candidates, torch.ones(6), 0.07)
    loss.total.backward()
    flat = exact.flatten(0, 1)
    logits = (flat.unsqueeze(1) * flat[candidates]).sum(-1) / 0.07
    expected = functional.cross_entropy(logits, torch.zeros(6, dtype=torch.int64), reduction="sum")
    torch.testing.assert_close(loss.total, expected, rtol=1e-5, atol=1e-5)
    assert h.grad.dtype == torch.bfloat16
    assert h.grad.isfinite().all()


def test_compiled_in_one_graph_equals_eager():
    def run(anchors, pool, candidates, weights):
        g = context_vectors(anchors.unsqueeze(0), torch.zeros_like(anchors).unsqueeze(0))
        return contrastive_loss(g[0], pool, candidates, weights, 0.07).total

    gradients = []
    for function in (run, torch.compile(run, backend="aot_eager", fullgraph=True)):
        anchors, pool, candidates, weights = case()
        function(anchors, pool, candidates, weights).backward()
        gradients.append(anchors.grad)
    torch.testing.assert_close(*gradients)


def test_the_flop_counter_sees_nothing_so_all_of_it_is_declared():
    anchors, pool, candidates, weights = case()
    with FlopCounterMode(display=False) as counter:
        g = context_vectors(anchors.unsqueeze(0), torch.zeros(1, *anchors.shape))[0]
        contrastive_loss(g, pool, candidates, weights, 0.07).total.backward()
    assert counter.get_total_flops() == 0
    assert similarity_flops(10, 7, 8) == 2 * (2 * 10 * 7 * 8)


def test_operators_pass_torchs_own_checks():
    anchors, pool, candidates, _ = case()
    torch.library.opcheck(contrastive._gathered_dots, (anchors, pool, candidates))


def test_no_warning_reaches_the_user(recwarn):
    anchors, pool, candidates, weights = case()
    contrastive_loss(anchors, pool, candidates, weights, 0.07).total.backward()
    assert not recwarn.list
