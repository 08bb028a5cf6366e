"""Cross-entropy with its linear layer: the plain way's numbers and products, less memory."""

import math

import pytest
import torch
from torch.nn import functional

from objbench.blocks import cross_entropy as module
from objbench.blocks.cross_entropy import linear_cross_entropy
from objbench.contract.batch import IGNORE_INDEX
from objbench.engine.measuring.step_memory import LiveTensors
from objbench.engine.training.flops import flop_counter

N, D, V = 23, 8, 61


@pytest.fixture
def inputs():
    draw = torch.Generator().manual_seed(0)
    states, weights = torch.randn(N, D, generator=draw), torch.randn(V, D, generator=draw)
    bias = torch.randn(V, generator=draw)
    targets = torch.randint(V, (N,), generator=draw)
    targets[::5] = IGNORE_INDEX
    return [states, weights, bias], targets


@pytest.fixture
def in_parts(monkeypatch):
    """Seven predictions at once, two of them worked on at once."""
    monkeypatch.setattr(module, "_rows_at_once", lambda matrix: (7, 2))


def plain(states, weights, bias, targets):
    logits = functional.linear(states, weights, bias)
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def with_gradients(loss_of, tensors, targets, factor=0.25):
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    loss = loss_of(*leaves, targets)
    (factor * loss).backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]


def test_the_loss_is_the_formula_in_loops(inputs):
    (states, weights, bias), targets = inputs
    expected = 0.0
    for state, target in zip(states.tolist(), targets.tolist(), strict=True):
        if target == IGNORE_INDEX:
            continue
        logits = [
            sum(s * w for s, w in zip(state, row, strict=True)) + offset
            for row, offset in zip(weights.tolist(), bias.tolist(), strict=True)
        ]
        expected += math.log(sum(math.exp(logit) for logit in logits)) - logits[target]
    assert linear_cross_entropy(states, weights, bias, targets).item() == pytest.approx(expected)


def test_loss_and_gradients_are_the_plain_ones(inputs):
    tensors, targets = inputs
    found = with_gradients(linear_cross_entropy, tensors, targets)
    expected = with_gradients(plain, tensors, targets)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_factors_weigh_losses_and_gradients(inputs, in_parts, dtype):
    tensors, targets = inputs
    factors = torch.rand(N, generator=torch.Generator().manual_seed(1)) * 10

    def weighed(*leaves):
        return linear_cross_entropy(*leaves, factors=factors)

    def one_by_one(states, weights, bias, targets):
        alone = [
            factor * linear_cross_entropy(states[i : i + 1], weights, bias, targets[i : i + 1])
            for i, factor in enumerate(factors)
        ]
        return torch.stack(alone).sum()

    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        found = with_gradients(weighed, tensors, targets)
        expected = with_gradients(one_by_one, tensors, targets)
    close = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found, expected, rtol=close, atol=10 * close)
    without = with_gradients(linear_cross_entropy, tensors, targets)
    ones = with_gradients(
        lambda *leaves: linear_cross_entropy(*leaves, torch.ones(N)), tensors, targets
    )
    assert all(torch.equal(one, other) for one, other in zip(ones, without, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_parts_make_no_difference(inputs, monkeypatch, dtype):
    tensors, targets = inputs
    with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
        whole = with_gradients(linear_cross_entropy, tensors, targets)
        monkeypatch.setattr(module, "_rows_at_once", lambda matrix: (7, 2))
        parts = with_gradients(linear_cross_entropy, tensors, targets)
    # Gradients of the weights are added up in float32, but each part's is rounded first.
    close = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(parts, whole, rtol=close, atol=close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_memory_held_before_makes_no_difference(inputs, monkeypatch, dtype):
    """Some products in bfloat16 read past the end of a row, as far as memory goes."""
    tensors, targets = inputs
    new_empty = torch.Tensor.new_empty
    with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16):
        expected = with_gradients(plain, tensors, targets)
        monkeypatch.setattr(
            torch.Tensor, "new_empty", lambda *given: new_empty(*given).fill_(math.nan)
        )
        found = with_gradients(linear_cross_entropy, tensors, targets)
    close = 1e-5 if dtype == torch.float32 else 5e-2
    torch.testing.assert_close(found, expected, rtol=close, atol=close)


def test_under_autocast_gradients_are_as_exact_as_the_plain_ones(inputs, in_parts):
    """Against float64 of the rounded inputs; the plain way rounds the logits with their bias."""
    tensors, targets = inputs
    rounded = [tensor.bfloat16().double() for tensor in tensors]
    exact = with_gradients(plain, rounded, targets)
    with torch.autocast("cpu", torch.bfloat16):
        found = with_gradients(linear_cross_entropy, tensors, targets)
        usual = with_gradients(plain, tensors, targets)
    assert [tensor.dtype for tensor in found] == [torch.float32] * 4
    for ours, theirs, true in zip(found, usual, exact, strict=True):
        error, allowed = (ours - true).norm(), (theirs - true).norm()
        assert error <= 1.2 * allowed + 1e-3 * true.norm()


def test_states_in_bfloat16_get_gradients_in_bfloat16(inputs):
    (states, weights, bias), targets = inputs
    _, of_states, of_weights, of_bias = with_gradients(
        linear_cross_entropy, [states.bfloat16(), weights.bfloat16(), bias], targets
    )
    assert of_states.dtype == of_weights.dtype == torch.bfloat16
    assert of_bias.dtype == torch.float32


def test_what_is_not_predicted_has_no_part_in_it(inputs):
    tensors, targets = inputs
    ignored = targets == IGNORE_INDEX
    _, of_states, _, _ = with_gradients(linear_cross_entropy, tensors, targets)
    assert not of_states[ignored].any() and of_states[~ignored].any(dim=1).all()
    nothing = torch.full_like(targets, IGNORE_INDEX)
    for value in with_gradients(linear_cross_entropy, tensors, nothing):
        assert not value.any()


def test_large_logits_do_not_overflow(inputs):
    (states, weights, bias), targets = inputs
    tensors = [1e3 * states, weights, bias]
    found = with_gradients(linear_cross_entropy, tensors, targets)
    expected = with_gradients(plain, tensors, targets)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)


def test_the_backward_pass_may_be_run_twice(inputs):
    tensors, targets = inputs
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    loss = linear_cross_entropy(*leaves, targets)
    loss.backward(retain_graph=True)
    once = [leaf.grad.clone() for leaf in leaves]
    loss.backward()
    torch.testing.assert_close([leaf.grad for leaf in leaves], [2 * grad for grad in once])


def test_no_predictions_cost_nothing_and_leave_no_gradient(inputs):
    (states, weights, bias), targets = inputs
    for value in with_gradients(linear_cross_entropy, [states[:0], weights, bias], targets[:0]):
        assert not value.any()


def test_a_gradient_of_the_gradient_is_refused(inputs):
    tensors, targets = inputs
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    loss = linear_cross_entropy(*leaves, targets)
    (of_states,) = torch.autograd.grad(loss.square(), leaves[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        of_states.sum().backward()


def test_products_are_counted_as_the_plain_ones(inputs, in_parts):
    tensors, targets = inputs
    counts = []
    for loss_of in (linear_cross_entropy, plain):
        with flop_counter() as counter:
            with_gradients(loss_of, tensors, targets)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 3 * 2 * N * D * V
    with flop_counter() as counter, torch.no_grad():
        linear_cross_entropy(*tensors, targets)
    assert counter.get_total_flops() == 2 * N * D * V


def test_memory_does_not_grow_with_predictions_times_words(monkeypatch):
    monkeypatch.setattr(module, "_PART_ON_CPU", 64 * 2**10)
    monkeypatch.setattr(module, "_BLOCK_ON_CPU", 16 * 2**10)
    draw = torch.Generator().manual_seed(0)
    tensors = [torch.randn(n, 4, generator=draw) for n in (400, 2000)]
    tensors.append(torch.zeros(2000))
    targets = torch.randint(2000, (400,), generator=draw)
    peaks = []
    for loss_of in (linear_cross_entropy, plain):
        with LiveTensors() as live:
            with_gradients(loss_of, tensors, targets)
        peaks.append(live.peak)
    logits = 400 * 2000 * 4
    assert peaks[0] < 0.2 * logits
    assert peaks[1] > 2 * logits


def test_in_float16_a_scaled_loss_keeps_small_gradients(inputs):
    (states, weights, bias), targets = inputs
    bias[3] = -20.0  # its share is below what float16 holds
    targets[targets == 3] = 4
    _, _, of_weights, _ = with_gradients(
        linear_cross_entropy, [states.half(), weights.half(), bias], targets, factor=2.0**16
    )
    exact = with_gradients(
        plain, [states.double(), weights.double(), bias.double()], targets, factor=2.0**16
    )
    assert of_weights.dtype == torch.float16
    assert (of_weights[3] != 0).all()
    torch.testing.assert_close(of_weights[3].double(), exact[2][3], rtol=0.1, atol=1e-6)
