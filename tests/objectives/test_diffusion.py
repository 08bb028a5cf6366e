"""Masked diffusion: rates and weights, the loss in plain loops and as a bound, the spread times."""

import math
from dataclasses import replace

import pytest
import torch

from objbench.contract.batch import IGNORE_INDEX, Rows
from objbench.contract.options import configure
from objbench.contract.random_streams import Streams
from objbench.engine.training.flops import count_training_flops
from objbench.errors import ConfigError
from objbench_objectives.clm import CausalLanguageModeling
from objbench_objectives.diffusion import (
    EARLIEST,
    TIME,
    MaskedDiffusion,
    mean_rate,
    rate_and_weight,
)
from objbench_objectives.mlm import MaskedLanguageModeling

SCHEDULES = ("linear", "cosine")


def streams(step=0, rows=6):
    return Streams(0, step, rows=rows)


def corrupted(step, batch, number=0):
    """(the batch as it is masked, the time of each of its sequences)."""
    drawn = streams(number, len(batch.input_ids))
    arranged = step.arrange(batch, drawn)
    return step.objective.corrupt(arranged, drawn), arranged.extras[TIME]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_weight_is_the_slope_of_the_rate_over_the_rate(schedule):
    times = torch.tensor([0.001, 0.01, 0.3, 0.5, 0.9, 0.999], dtype=torch.float64)
    rates, weights = rate_and_weight(times, schedule)
    after, _ = rate_and_weight(times + 1e-7, schedule)
    before, _ = rate_and_weight(times - 1e-7, schedule)
    torch.testing.assert_close(weights, (after - before) / 2e-7 / rates, rtol=1e-6, atol=1e-6)
    ends, _ = rate_and_weight(torch.tensor([1e-12, 1.0], dtype=torch.float64), schedule)
    assert ends.tolist() == pytest.approx([0, 1], abs=1e-9)
    assert weights[0] <= 1000 + 1e-6


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rates_are_on_average_what_is_declared(schedule):
    times = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000 * (1 - EARLIEST) + EARLIEST
    rates, _ = rate_and_weight(times, schedule)
    assert mean_rate(schedule) == pytest.approx(rates.mean().item(), rel=1e-6)


def test_both_schedules_are_the_same_loss_in_expectation():
    """The integral over t of w(t) f(r(t)) is that of f(r) / r over r, of any f."""
    times = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000
    found = []
    for schedule in SCHEDULES:
        rates, weights = rate_and_weight(times, schedule)
        found.append((weights * (3 * rates + rates**2.5)).mean().item())
    assert found == pytest.approx([3 + 1 / 2.5] * 2, rel=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_is_that_of_plain_loops(build, batch_of, tiny, schedule, padded):
    step = build(MaskedDiffusion, schedule=schedule).eval()
    batch = batch_of(padded=padded)
    with torch.no_grad():
        (total,), (count,) = step(batch, streams())
    made, times = corrupted(step, batch)
    step = step.double()
    words = step.encoder.get_input_embeddings().weight
    expected, tokens = 0.0, 0
    for row in range(6):
        time = float(times[row])
        weight = 1 / time
        if schedule == "cosine":
            weight = math.pi / 2 * math.cos(math.pi / 2 * time) / math.sin(math.pi / 2 * time)
        length = int(batch.real[row].sum())
        read = made.input_ids[row, :length]
        with torch.no_grad():
            states = step.encoder(input_ids=read[None]).last_hidden_state[0]
        for position in range(1, length - 1):
            tokens += 1
            target = int(batch.input_ids[row, position])
            if int(read[position]) == tiny.VOCABULARY.mask:
                logits = step.objective.token_head(states[position], words).detach()
                expected -= weight * float(logits[target] - logits.exp().sum().log())
            else:
                assert int(read[position]) == target
    assert count == tokens
    assert total == pytest.approx(expected, rel=1e-5)


def test_made_logits_are_used_and_give_the_same_loss(build, batch_of):
    step = build(MaskedDiffusion).eval()
    batch, drawn = step.arrange(batch_of(), streams()), streams()
    with torch.no_grad():
        encoder_pass = step.encode(step.corrupt(batch, drawn))
        (term,) = step.objective.terms
        plain = term(encoder_pass, drawn)
        states = encoder_pass.last_hidden_state
        positions = encoder_pass.batch.positions.unsqueeze(-1).expand(-1, -1, states.shape[-1])
        logits = term.token_head(states.gather(1, positions), encoder_pass.word_embeddings)
        again = term(replace(encoder_pass, word_logits=logits), drawn)
    torch.testing.assert_close(again.total, plain.total, rtol=1e-5, atol=0)
    assert again.count == plain.count


def test_a_model_that_knows_nothing_has_the_loss_of_a_uniform_guess(build, batch_of):
    """With uniform predictions f(r) = r log V, so the bound is log V whatever the schedule."""
    for schedule in SCHEDULES:
        step = build(MaskedDiffusion, schedule=schedule).eval()
        with torch.no_grad():
            step.encoder.get_input_embeddings().weight.zero_()
            words = len(step.encoder.get_input_embeddings().weight)
            means = []
            for number in range(60):
                batch = batch_of(rows=64)
                (total,), (count,) = step(batch, streams(number, 64))
                means.append(float(total / count))
        mean, error = torch.tensor(means).mean(), torch.tensor(means).std() / 60**0.5
        assert mean == pytest.approx(math.log(words), abs=4 * float(error) + 0.01)
        assert error < 0.1


def test_masks_are_independent_at_the_rate_of_the_sequence(build, batch_of):
    step, batch = build(MaskedDiffusion), batch_of(rows=2000)
    made, times = corrupted(step, batch)
    maskable = ~batch.special
    hidden = made.predicted
    assert not (hidden & batch.special).any()
    numbers = hidden.sum(dim=1).double()
    expected = times.double() * maskable.sum(dim=1)
    spread = (times * (1 - times)).double() * maskable.sum(dim=1)
    scores = (numbers - expected) / spread.clamp(min=1e-9).sqrt()
    well_inside = (times > 0.2) & (times < 0.8)
    assert scores[well_inside].mean() == pytest.approx(0, abs=4 / 1200**0.5)
    assert scores[well_inside].var() == pytest.approx(1, abs=0.2)


def test_masks_at_the_rate_of_mlm_are_its_masks(build, batch_of):
    """Where as many are hidden, they are the same tokens."""
    step, mlm, batch = build(MaskedDiffusion), build(MaskedLanguageModeling), batch_of(rows=2000)
    made, _ = corrupted(step, batch)
    theirs = mlm.objective.corrupt(batch, streams(rows=2000))
    alike = made.predicted.sum(dim=1) == theirs.predicted.sum(dim=1)
    assert alike.sum() > 50
    assert torch.equal(made.predicted[alike], theirs.predicted[alike])


def test_times_are_spread_evenly_over_the_whole_batch(build, batch_of):
    step, alone = build(MaskedDiffusion), build(MaskedDiffusion, even_times=False)
    batch = batch_of(rows=8)
    _, times = corrupted(step, batch)
    strata = ((times - EARLIEST) / (1 - EARLIEST) * 8).floor()
    assert strata.tolist() == list(range(8))
    # The rows of another process have their own part of them.
    drawn = Streams(0, 0, rows=8, first=4, count=4)
    half = replace(batch, input_ids=batch.input_ids[4:], special=batch.special[4:], rows=Rows(4, 8))
    assert torch.equal(step.arrange(half, drawn).extras[TIME], times[4:])
    _, independent = corrupted(alone, batch_of(rows=2000))
    assert independent.mean() == pytest.approx(0.5, abs=4 * 0.289 / 2000**0.5)
    lagged = torch.stack([independent[:-1], independent[1:]]).corrcoef()[0, 1]
    assert lagged == pytest.approx(0, abs=4 / 2000**0.5)


def test_every_slot_may_be_used_and_unused_ones_are_empty(build, batch_of):
    step = build(MaskedDiffusion)
    batch = batch_of(rows=500)
    made, _ = corrupted(step, batch)
    used = made.targets != IGNORE_INDEX
    assert made.positions.shape == batch.input_ids.shape
    assert step.objective.slots(12) == 12
    assert not made.positions[~used].any()
    assert used.sum(dim=1).min() == 0 and used.sum(dim=1).max() == (~batch.special).sum(dim=1).max()


def test_its_step_costs_as_much_as_one_that_predicts_every_token(build, batch_of):
    def flops(kind):
        return count_training_flops(build(kind), batch_of(), streams()).flops

    mlm, clm, found = (
        flops(kind) for kind in (MaskedLanguageModeling, CausalLanguageModeling, MaskedDiffusion)
    )
    # The head's part of a step at T and at T - 1 slots.
    assert found - mlm == pytest.approx((clm - mlm) * (12 - 2) / (11 - 2), rel=1e-9)


def test_bfloat16_autocast_gives_finite_float32_losses(build, batch_of):
    step = build(MaskedDiffusion)
    with torch.autocast("cpu", torch.bfloat16):
        totals, counts = step(batch_of(padded=True), streams())
    totals.sum().backward()
    assert totals.dtype == counts.dtype == torch.float32
    assert totals.isfinite().all()
    assert all(p.grad.isfinite().all() for p in step.parameters())


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ConfigError, match="schedule"):
        configure(MaskedDiffusion, {"schedule": "square"})
