"""In-batch contrast: values against loops, the gradient against that of the plain formula."""

import math

import pytest
import torch

from objbench.contract.batch import Rows
from objbench_objectives.in_batch import pair_loss, two_view_loss

R, D = 6, 5


def vectors(rows=R, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return [(scale * torch.randn(rows, D, generator=generator)).requires_grad_() for _ in range(2)]


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / math.sqrt(sum(a * a for a in one) * sum(b * b for b in other))


def pair_loss_in_loops(anchors, candidates, tau):
    total = 0.0
    for own, anchor in enumerate(anchors):
        scores = [math.exp(cosine(anchor, candidate) / tau) for candidate in candidates]
        total -= math.log(scores[own] / sum(scores))
    return total


def two_view_loss_in_loops(one, other, tau):
    total, everything = 0.0, [*one, *other]
    for own, anchor in enumerate(everything):
        partner = (own + len(one)) % len(everything)
        scores = {
            index: math.exp(cosine(anchor, vector) / tau)
            for index, vector in enumerate(everything)
            if index != own
        }
        total -= math.log(scores[partner] / sum(scores.values()))
    return total


CASES = {
    "pairs": (pair_loss, pair_loss_in_loops),
    "two views": (two_view_loss, two_view_loss_in_loops),
}


def plain(name, one, other, tau):
    """The formula on one process, whose gradient torch works out."""
    one, other = (torch.nn.functional.normalize(v, dim=-1) for v in (one, other))
    if name == "pairs":
        logits = one @ other.T / tau
        return torch.nn.functional.cross_entropy(logits, torch.arange(len(one)), reduction="sum")
    both = torch.cat([one, other])
    logits = (both @ both.T / tau).masked_fill(torch.eye(len(both), dtype=torch.bool), -torch.inf)
    partners = torch.arange(len(both)).roll(len(one))
    return torch.nn.functional.cross_entropy(logits, partners, reduction="sum")


@pytest.mark.parametrize("tau", [1.0, 0.05])
@pytest.mark.parametrize("name", CASES)
def test_the_value_is_that_of_the_formula_in_loops(name, tau):
    loss, in_loops = CASES[name]
    one, other = vectors()
    expected = in_loops(one.double().tolist(), other.double().tolist(), tau)
    assert loss(one, other, Rows.alone(R), tau).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tau", [1.0, 0.05])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_formula(name, tau):
    ours, theirs = vectors(), vectors()
    CASES[name][0](*ours, Rows.alone(R), tau).backward()
    plain(name, *(v.double() for v in theirs), tau).backward()
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.grad.abs().max() > 1e-3
        assert torch.allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_three_processes_get_the_value_and_the_gradient_of_one(name):
    whole, seen = vectors(), []

    def record(tensor):
        seen.append(tensor)
        return tensor

    total = CASES[name][0](*whole, Rows(0, R, record), 0.1)
    total.backward()
    assert not any(tensor.requires_grad for tensor in seen)

    values = []
    for first in range(0, R, 2):
        own, told = slice(first, first + 2), iter(seen)

        def gather(tensor, own=own, told=told):
            everybody = next(told)
            assert torch.allclose(tensor, everybody[own], atol=1e-6)
            return everybody

        part = [v.detach()[own].requires_grad_() for v in whole]
        loss = CASES[name][0](*part, Rows(first, R, gather), 0.1)
        loss.backward()
        assert next(told, None) is None
        values.append(loss.item())
        for mine, everybody in zip(part, whole, strict=True):
            assert torch.allclose(mine.grad, everybody.grad[own], rtol=1e-4, atol=1e-6)
    assert sum(values) == pytest.approx(total.item(), rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_one_sequence_alone_has_no_loss(name):
    one, other = vectors(rows=1)
    loss = CASES[name][0](one, other, Rows.alone(1), 0.05)
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert one.grad.abs().max() < 1e-5 and one.grad.isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_autocast_changes_nothing(name):
    one, other = vectors()
    expected = CASES[name][0](one, other, Rows.alone(R), 0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(CASES[name][0](one, other, Rows.alone(R), 0.05), expected)
