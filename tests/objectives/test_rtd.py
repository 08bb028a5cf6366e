"""RTD: both losses against plain loops, the sampler's distribution, what is replaced, training."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from objbench.contract.batch import IGNORE_INDEX
from objbench.contract.random_streams import Streams
from objbench.contract.term import EncoderPass
from objbench.engine.training.trainer import pretrain
from objbench.errors import ConfigError
from objbench_objectives import sampled_tokens
from objbench_objectives.mlm import MaskedLanguageModeling
from objbench_objectives.rtd import ReplacedTokenDetection
from objbench_objectives.sampled_tokens import GENERATOR_LOSS, REPLACED

D = 16
"""Width of the tiny encoder."""


# -- the losses


def test_both_losses_equal_the_formulas_in_loops(tiny, monkeypatch, build, batch_of, masks_of):
    batch, streams = batch_of(padded=True), Streams(0, 0, rows=6)
    masked = masks_of(batch, streams)
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(*masked.targets.shape, 65, generator=generator, dtype=torch.float64)
    samples = torch.randint(65, masked.targets.shape, generator=generator)
    samples[:, 0] = masked.targets[:, 0].clamp(min=0)  # each row's first: the original by luck
    monkeypatch.setattr(sampled_tokens, "sample_tokens", lambda probabilities, streams: samples)
    corrupted = sampled_tokens.replace_tokens(batch, masked, logits, streams)

    mlm, ids, replaced = 0.0, batch.input_ids.tolist(), torch.zeros(6, tiny.LENGTH).tolist()
    for row in range(6):
        for slot, target in enumerate(masked.targets[row].tolist()):
            if target == IGNORE_INDEX:
                continue
            scores = logits[row, slot].tolist()
            mlm -= scores[target] - math.log(sum(math.exp(score) for score in scores))
            column, sample = int(masked.positions[row, slot]), int(samples[row, slot])
            ids[row][column] = sample
            replaced[row][column] = float(sample != target)
    assert corrupted.input_ids.tolist() == ids
    assert corrupted.extras[REPLACED].float().tolist() == replaced
    assert 0 < sum(map(sum, replaced)) < (masked.targets != IGNORE_INDEX).sum()
    assert corrupted.extras[GENERATOR_LOSS].item() == pytest.approx(mlm, rel=1e-6)

    prediction, detection = build().objective.terms
    states = torch.randn(6, tiny.LENGTH, D, generator=generator, dtype=torch.float64)
    detection.double()
    total, count = 0.0, 0
    for row in range(6):
        for column in range(tiny.LENGTH):
            if not batch.real[row, column]:
                continue
            inner = detection.dense.weight @ states[row, column] + detection.dense.bias
            bent = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in inner.tolist()]
            weights = detection.logit.weight[0].tolist()
            logit = sum(w * x for w, x in zip(weights, bent, strict=True))
            is_replaced = 1 / (1 + math.exp(-logit - detection.logit.bias.item()))
            total -= math.log(is_replaced if replaced[row][column] else 1 - is_replaced)
            count += 1
    losses = [term(EncoderPass(corrupted, states), streams) for term in (prediction, detection)]
    assert losses[0].total is corrupted.extras[GENERATOR_LOSS]
    assert losses[0].count == (masked.targets != IGNORE_INDEX).sum()
    assert losses[1].count == count == batch.real.sum()
    assert losses[1].total.item() == pytest.approx(total, rel=1e-6)


def test_the_terms_are_weighted_as_in_the_paper(build):
    terms = build().objective.terms
    assert [(term.name, term.weight) for term in terms] == [("generator", 1.0), ("rtd", 50.0)]
    assert build(weight=3.0).objective.terms[1].weight == 3.0
    config = ReplacedTokenDetection.Config()
    assert (config.rate, config.mask_share, config.random_share) == (0.15, 0.85, 0.0)


# -- sampling


def test_samples_follow_the_softmax():
    logits = torch.tensor([0.0, 1.0, -torch.inf, -1.0, 2.0, 0.5, -torch.inf])
    shares = logits.softmax(0)
    drawn = sampled_tokens.sample_tokens(shares.expand(2000, 20, -1), Streams(0, rows=2000))
    counts = torch.bincount(drawn.flatten(), minlength=7).double()
    possible = shares > 0
    assert not counts[~possible].any()
    expected = shares[possible].double() * drawn.numel()
    statistic = ((counts[possible] - expected).square() / expected).sum()
    assert statistic < 18.5  # the 99.9% quantile of chi square with 4 degrees of freedom


def test_slots_are_sampled_independently():
    drawn = sampled_tokens.sample_tokens(
        torch.full((4000, 2, 2), 0.5), Streams(1, rows=4000)
    ).double()
    assert abs(float(torch.corrcoef(drawn.T)[0, 1])) < 0.06  # 4 standard deviations
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.03)


def test_every_process_draws_its_rows_of_the_same_samples():
    shares = torch.rand(6, 4, 30, generator=torch.Generator().manual_seed(0))
    whole = sampled_tokens.sample_tokens(shares, Streams(2, 5, rows=6))
    parts = [
        sampled_tokens.sample_tokens(shares[own], Streams(2, 5, rows=6, first=own.start, count=3))
        for own in (slice(0, 3), slice(3, 6))
    ]
    assert torch.equal(torch.cat(parts), whole)
    assert not torch.equal(sampled_tokens.sample_tokens(shares, Streams(2, 6, rows=6)), whole)


def test_what_is_not_finite_gives_no_index_out_of_range(batch_of, masks_of):
    batch, streams = batch_of(), Streams(0, rows=6)
    masked = masks_of(batch, streams)
    logits = torch.full((*masked.targets.shape, 65), torch.nan)
    corrupted = sampled_tokens.replace_tokens(batch, masked, logits, streams)
    assert corrupted.input_ids.min() >= 0 and corrupted.input_ids.max() < 65
    assert corrupted.extras[GENERATOR_LOSS].isnan()


# -- what is replaced


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), sharpness=st.floats(0, 30), padded=st.booleans())
def test_only_predicted_tokens_are_replaced_and_only_by_others(
    seed, sharpness, padded, batch_of, masks_of
):
    batch, streams = batch_of(padded=padded, seed=seed), Streams(seed, rows=6)
    before = batch.input_ids.clone()
    masked = masks_of(batch, streams)
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(*masked.targets.shape, 65, generator=draw)
    # Sharper towards the original, so that it is sampled now and then.
    logits.scatter_add_(
        2,
        masked.targets.clamp(min=0)[..., None],
        torch.tensor(sharpness).expand_as(masked.targets)[..., None],
    )
    corrupted = sampled_tokens.replace_tokens(batch, masked, logits, streams)
    replaced = corrupted.extras[REPLACED]
    assert torch.equal(replaced, corrupted.input_ids != batch.input_ids)
    assert not (replaced & ~corrupted.predicted).any()
    assert not (replaced & (batch.special | ~batch.real)).any()
    assert torch.equal(corrupted.positions, masked.positions)
    assert torch.equal(corrupted.targets, masked.targets)
    assert torch.equal(batch.input_ids, before)


def test_a_perfect_generator_replaces_nothing(batch_of, masks_of):
    batch, streams = batch_of(padded=True), Streams(0, rows=6)
    masked = masks_of(batch, streams)
    logits = torch.nn.functional.one_hot(masked.targets.clamp(min=0), 65) * 100.0
    corrupted = sampled_tokens.replace_tokens(batch, masked, logits, streams)
    assert torch.equal(corrupted.input_ids, batch.input_ids)
    assert not corrupted.extras[REPLACED].any()


def test_the_predicted_positions_are_those_of_mlm(build, batch_of):
    batch = batch_of()
    ours = build().objective.corrupt(batch, Streams(7, 2, rows=6))
    mlm = build(MaskedLanguageModeling).objective.corrupt(batch, Streams(7, 2, rows=6))
    assert torch.equal(ours.positions, mlm.positions)
    assert torch.equal(ours.targets, mlm.targets)


def test_the_generator_makes_logits_at_predicted_positions_only(build, batch_of):
    step = build()
    seen = []
    step.objective.generator.head.register_forward_hook(lambda m, i, out: seen.append(out.shape))
    step(batch_of(), Streams(0, rows=6))
    assert seen == [(6, 2, 65)]


@pytest.mark.parametrize(
    "options",
    [
        {"generator_size": 0.0},
        {"generator_size": 1.5},
        {"generator_size": float("nan")},
        {"weight": -1.0},
        {"weight": float("nan")},
        {"rate": 0.0},
        {"random_share": 0.5},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        ReplacedTokenDetection.Config(**options)


# -- training


def test_bfloat16_gives_finite_float32_losses(build, batch_of):
    step, batch = build(), batch_of(padded=True)
    with torch.autocast("cpu", torch.bfloat16):
        totals, counts = step(batch, Streams(0, rows=6))
    totals.sum().backward()
    assert totals.dtype == counts.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in step.parameters())


def stopping_at(stop):
    def report(done, total, text):
        if done == stop:
            raise KeyboardInterrupt

    return report


def test_training_repeats_and_resumes(tiny, tmp_path, build):
    """One run, and one that is stopped in the middle and goes on from its checkpoint."""
    runs = tmp_path / "whole", tmp_path / "cut"
    options = {"steps": 12, "export_steps": (6, 12), "log_every": 2}
    whole = pretrain(tiny.tiny_job(runs[0], "rtd", **options), stopping_at(-1))
    with pytest.raises(KeyboardInterrupt):
        pretrain(tiny.tiny_job(runs[1], "rtd", checkpoint_every=0, **options), stopping_at(8))
    assert (runs[1] / "checkpoints" / "rtd" / "step-7").is_dir()
    again = pretrain(tiny.tiny_job(runs[1], "rtd", **options), stopping_at(-1))

    assert whole.status == again.status == "ok"
    assert [point.terms for point in whole.log] == [point.terms for point in again.log]
    assert [point.heldout for point in whole.points] == [point.heldout for point in again.points]
    for point in whole.points:
        assert set(point.heldout) == {"generator", "rtd", "loss"}
        one, two = (load_file(run / point.encoder / "model.safetensors") for run in runs)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)
        # The discriminator alone.
        assert one.keys() == build().encoder.state_dict().keys()


def test_both_losses_fall_on_a_fixed_batch(build, batch_of):
    step, batch = build(rate=0.3, generator_size=1.0), batch_of()
    optimizer = torch.optim.AdamW(step.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        # The same masks each time; what is sampled at them follows the generator.
        totals, counts = step(batch, Streams(0, rows=6))
        means = totals / counts
        losses.append(means.detach())
        (means[0] + 50 * means[1]).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (torch.stack(losses[-5:]).mean(0) < 0.6 * losses[0]).all()


def test_the_masking_rate_may_change_over_the_budget(build, batch_of):
    objective = build(rate=0.2, final_rate=0.6).objective
    counts = []
    for progress in (0.0, 1.0):
        batch = replace(batch_of(rows=40), progress=progress)
        corrupted = objective.corrupt(batch, Streams(0, rows=40))
        assert corrupted.positions.shape[1] == objective.slots(12) == 8
        counts.append(int(corrupted.predicted.sum()))
    # Of 40 x 10 maskable tokens.
    assert counts == [80, 240]
