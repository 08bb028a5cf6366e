"""The loss against all tokens of other sequences: plain loops in float64, and the dense matrix."""

import math

import pytest
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from objbench.blocks import full_contrast as exhaustive
from objbench.blocks.full_contrast import exhaustive_contrastive_loss, exhaustive_flops
from objbench.blocks.sampled_contrast import context_vectors, contrastive_loss
from objbench.plugins.conformance.contractions import ContractionCounter

LENGTHS = (5, 3, 4, 1)


def case(anchors=5, seed=0, width=8, dtype=torch.float32):
    """4 sequences of up to 5 tokens, all of them with ``anchors`` anchors."""
    generator = torch.Generator().manual_seed(seed)
    rows, length = len(LENGTHS), max(LENGTHS)
    shape = rows, length, width
    pool = functional.normalize(torch.randn(shape, generator=generator, dtype=dtype), dim=-1)
    columns = torch.randint(length, (rows, anchors), generator=generator)
    mine = pool.gather(1, columns.unsqueeze(-1).expand(-1, -1, width))
    positives = torch.randint(length, (rows, anchors), generator=generator)
    real = torch.arange(length) < torch.tensor(LENGTHS).unsqueeze(1)
    weights = torch.arange(rows * anchors).view(rows, anchors) % 3 != 0
    return mine.clone().requires_grad_(), pool, positives, real, weights


def loops(anchors, pool, positives, real, weights, temperature):
    """The formula, one number at a time: total, count and the gradient of the anchors."""
    total, gradient = 0.0, torch.zeros(anchors.shape, dtype=torch.float64)
    for b in range(len(anchors)):
        for a in range(anchors.shape[1]):
            if not weights[b, a]:
                continue
            candidates = [(b, int(positives[b, a]))]
            for row in range(len(pool)):
                for column in range(pool.shape[1]):
                    if row != b and real[row, column]:
                        candidates.append((row, column))
            vector = anchors[b, a].tolist()
            logits = []
            for row, column in candidates:
                other = pool[row, column].tolist()
                similarity = sum(x * y for x, y in zip(vector, other, strict=True))
                logits.append(similarity / temperature)
            normaliser = sum(math.exp(logit) for logit in logits)
            total -= logits[0] - math.log(normaliser)
            for place, (row, column) in enumerate(candidates):
                slope = math.exp(logits[place]) / normaliser - (place == 0)
                gradient[b, a] += slope * pool[row, column] / temperature
    return total, int(weights.sum()), gradient


@pytest.fixture(params=[(512, 1024), (3, 4), (1, 1), (7, 20)], ids=str)
def block(request, monkeypatch):
    """Blocks of one piece and of many, across the borders of sequences."""
    monkeypatch.setattr(exhaustive, "block_shape", lambda device: request.param)


@pytest.mark.parametrize("anchors", [5, 2])
@pytest.mark.parametrize("temperature", [1.0, 0.07, 0.01])
def test_loss_and_gradient_equal_the_loops(block, temperature, anchors):
    mine, pool, positives, real, weights = case(anchors)
    loss = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, temperature)
    loss.total.backward()
    total, count, gradient = loops(
        mine.detach().double(), pool.double(), positives, real, weights, temperature
    )
    assert loss.total.item() == pytest.approx(total, rel=1e-5)
    assert loss.count.item() == count
    torch.testing.assert_close(mine.grad.double(), gradient, rtol=1e-4, atol=1e-4)
    assert loss.total.dtype == loss.count.dtype == torch.float32


def test_the_gradient_is_that_of_the_numbers_in_float64(block):
    mine, pool, positives, real, weights = case(anchors=2, dtype=torch.float64)

    def total(anchors):
        return exhaustive_contrastive_loss(anchors, pool, positives, real, 0, weights, 0.3).total

    assert torch.autograd.gradcheck(total, (mine,))


def dense(anchors, pool, positives, real, temperature):
    """The (N, P) formulation: losses (B, A)."""
    rows, length = real.shape
    logits = torch.einsum("bad,rtd->bart", anchors, pool) / temperature
    keep = real & (torch.arange(rows).unsqueeze(1) != torch.arange(rows)).unsqueeze(-1)
    kept = keep.unsqueeze(1) | False
    place = functional.one_hot(positives, length).bool()
    is_own = torch.eye(rows, dtype=torch.bool).view(rows, 1, rows, 1)
    kept = kept | (is_own & place.unsqueeze(2))
    masked = logits.masked_fill(~kept, -math.inf).flatten(2)
    target = torch.arange(rows).unsqueeze(1) * length + positives
    return functional.cross_entropy(masked.flatten(0, 1), target.flatten(), reduction="none")


def test_float32_over_many_blocks_is_as_near_as_the_dense_matrix():
    generator = torch.Generator().manual_seed(1)
    pool = functional.normalize(torch.randn(40, 40, 16, generator=generator), dim=-1)
    real = torch.arange(40) < torch.randint(2, 41, (40, 1), generator=generator)
    positives = torch.randint(40, (40, 40), generator=generator)
    results = []
    for dtype in (torch.float32, torch.float64):
        mine = pool.to(dtype).requires_grad_()
        loss = dense(mine, pool.to(dtype), positives, real, 0.07).sum()
        results.append((loss, *torch.autograd.grad(loss, mine)))
    mine = pool.clone().requires_grad_()
    weights = torch.ones(40, 40)
    total = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07).total
    ours = (total, *torch.autograd.grad(total, mine))
    for one, plain, exact in zip(ours, *results, strict=True):
        error = torch.linalg.vector_norm(one.double() - exact)
        allowed = torch.linalg.vector_norm(plain.double() - exact)
        assert error <= 4 * allowed + 1e-7 * torch.linalg.vector_norm(exact)


def test_it_is_the_loss_over_drawn_candidates_with_all_of_them_drawn():
    """Every sequence full, so that the lists of candidates are equally long."""
    mine, pool, positives, _, weights = case()
    rows, length = pool.shape[:2]
    rest = torch.arange(rows * length).view(rows, length)
    others = torch.stack([torch.cat([rest[:b], rest[b + 1 :]]).flatten() for b in range(rows)])
    near = (torch.arange(rows).unsqueeze(1) * length + positives).unsqueeze(-1)
    everyone = others.unsqueeze(1).expand(-1, mine.shape[1], -1)
    candidates = torch.cat([near, everyone], dim=-1).flatten(0, 1)
    flat = mine.detach().flatten(0, 1).requires_grad_()
    drawn = contrastive_loss(flat, pool.flatten(0, 1), candidates, weights.flatten(), 0.07)
    drawn.total.backward()
    loss = exhaustive_contrastive_loss(mine, pool, positives, None, 0, weights, 0.07)
    loss.total.backward()
    torch.testing.assert_close(loss.total, drawn.total)
    torch.testing.assert_close(loss.count, drawn.count)
    torch.testing.assert_close(mine.grad.flatten(0, 1), flat.grad, rtol=1e-5, atol=1e-5)


def test_neither_padding_nor_the_own_sequence_is_a_negative(block):
    """Whatever stands there: only other sequences' real tokens and the positive count."""
    mine, pool, positives, real, weights = case()
    positives = torch.zeros_like(positives)
    plain = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07)
    padded = torch.where(real.unsqueeze(-1), pool, 50.0)
    changed = exhaustive_contrastive_loss(mine, padded, positives, real, 0, weights, 0.07)
    assert torch.equal(plain.total, changed.total)
    for row in range(len(pool)):
        own = pool.clone()
        own[row, 1:] = 50.0  # all but the positive
        only = weights & (torch.arange(len(pool)) == row).unsqueeze(1)
        before, after = (
            exhaustive_contrastive_loss(mine, some, positives, real, 0, only, 0.07).total
            for some in (pool, own)
        )
        assert torch.equal(before, after)


def test_equal_vectors_give_the_log_of_the_number_of_candidates():
    ones = functional.normalize(torch.ones(3, 5, 4), dim=-1)
    positives = torch.zeros(3, 5, dtype=torch.int64)
    loss = exhaustive_contrastive_loss(ones, ones, positives, None, 0, torch.ones(3, 5), 0.07)
    assert (loss.total / loss.count).item() == pytest.approx(math.log(1 + 2 * 5), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.01, 0.001])
def test_opposite_vectors_at_a_small_temperature_neither_overflow_nor_vanish(block, temperature):
    """The positive is as far away as can be: the loss is 2 / tau and the log of the negatives."""
    pool = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]])
    anchors = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]).requires_grad_()
    positives, weights = torch.ones(2, 1, dtype=torch.int64), torch.tensor([[1.0], [0.0]])
    loss = exhaustive_contrastive_loss(anchors, pool, positives, None, 0, weights, temperature)
    loss.total.backward()
    assert loss.total.item() == pytest.approx(2 / temperature + math.log(2), rel=1e-6)
    torch.testing.assert_close(anchors.grad[0, 0], torch.tensor([2 / temperature, 0.0]))
    assert not anchors.grad[1].any()


def test_only_the_anchors_get_a_gradient_and_left_out_anchors_none():
    mine, pool, positives, real, weights = case()
    pool.requires_grad_()
    exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07).total.backward()
    assert pool.grad is None
    assert not mine.grad[~weights].any()
    assert mine.grad[weights].abs().sum(dim=1).gt(0).all()


def test_anchors_of_some_sequences_are_those_rows_of_all(block):
    mine, pool, positives, real, weights = case()
    whole = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07)
    whole.total.backward()
    totals, gradients = [], []
    for own in (slice(0, 1), slice(1, 4)):
        part = mine.detach()[own].requires_grad_()
        loss = exhaustive_contrastive_loss(
            part, pool, positives[own], real, own.start, weights[own], 0.07
        )
        loss.total.backward()
        totals.append(torch.stack([loss.total.detach(), loss.count]))
        gradients.append(part.grad)
    torch.testing.assert_close(sum(totals), torch.stack([whole.total.detach(), whole.count]))
    torch.testing.assert_close(torch.cat(gradients), mine.grad, rtol=1e-5, atol=1e-5)


def test_without_a_gradient_the_loss_is_the_same_number():
    mine, pool, positives, real, weights = case()
    loss = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07)
    with torch.no_grad():
        held_out = exhaustive_contrastive_loss(mine, pool, positives, real, 0, weights, 0.07)
    assert torch.equal(loss.total.detach(), held_out.total)


def test_under_autocast_bfloat16_states_are_compared_in_float32():
    generator = torch.Generator().manual_seed(0)
    h, e = torch.randn(2, 4, 5, 8, generator=generator).bfloat16()
    h.requires_grad_()
    _, _, positives, real, weights = case()
    totals = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            g = context_vectors(h, e)
            loss = exhaustive_contrastive_loss(g, g.detach(), positives, real, 0, weights, 0.07)
        totals.append((loss.total.detach(), *torch.autograd.grad(loss.total, h)))
    assert totals[1][0].dtype == torch.float32
    assert torch.equal(totals[0][0], totals[1][0])
    assert torch.equal(totals[0][1], totals[1][1])
    assert totals[1][1].isfinite().all()


def test_compiled_in_one_graph_equals_eager():
    def run(anchors, pool, positives, real, weights):
        return exhaustive_contrastive_loss(anchors, pool, positives, real, 0, weights, 0.07).total

    gradients = []
    for function in (run, torch.compile(run, backend="aot_eager", fullgraph=True)):
        mine, *rest = case()
        function(mine, *rest).backward()
        gradients.append(mine.grad)
    torch.testing.assert_close(*gradients)


def test_the_operator_passes_torchs_own_checks():
    mine, pool, positives, real, _ = case()
    for mask, with_slopes in ((real, True), (None, True), (real, False)):
        arguments = mine if with_slopes else mine.detach(), pool, positives, mask
        torch.library.opcheck(exhaustive._exhaustive_losses, (*arguments, 0, 0.07, with_slopes))


def test_the_flop_counter_sees_nothing_and_the_second_counter_all_that_is_declared(block):
    declared = exhaustive_flops(20, 20, 8)
    assert declared == 2 * (2 * 20 * 20 * 8)
    mine, *rest, weights = case()
    with FlopCounterMode(display=False) as first:
        exhaustive_contrastive_loss(mine, *rest, 0, weights, 0.07).total.backward()
    with ContractionCounter() as second:
        exhaustive_contrastive_loss(mine, *rest, 0, weights, 0.07).total.backward()
    assert first.get_total_flops() == 0
    # Beside the products the positive's similarity and the weighted sum: 2 N D + 2 N.
    assert second.flops == declared + 2 * 20 * 8 + 2 * 20


def test_no_allocation_grows_with_the_square_of_the_tokens():
    """2,048 tokens: their square is 16 MiB; what is needed is a block and a few (N, D)."""
    generator = torch.Generator().manual_seed(0)
    pool = functional.normalize(torch.randn(32, 64, 16, generator=generator), dim=-1)
    mine, positives = pool.clone().requires_grad_(), torch.zeros(32, 64, dtype=torch.int64)

    def step():
        weights = torch.ones(32, 64)
        exhaustive_contrastive_loss(mine, pool, positives, None, 0, weights, 0.07).total.backward()

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = seen.profiler.kineto_results.events()
    sizes = [event.nbytes() for event in events if event.name() == "[memory]"]
    height, breadth = exhaustive.block_shape(torch.device("cpu"))
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    assert max(sizes) == height * breadth * 4
    assert peak < 2 * height * breadth * 4 < 2048 * 2048 * 4 / 3
