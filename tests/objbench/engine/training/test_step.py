"""The forward pass asks the encoder for what terms need, and means are exact however split."""

from __future__ import annotations

import pytest
import torch

from objbench.contract.batch import Batch, Rows
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.step import TrainingStep, mean_loss, term_weights


def build(tiny, kind, **fields) -> TrainingStep:
    encoder = build_encoder(tiny.encoder_section(**fields), tiny.VOCABULARY, tiny.LENGTH, seed=0)
    encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
    return TrainingStep(encoder, build_objective(kind, kind.Config(), encoder_spec, seed=0))


def batch_of(tiny, first=0, count=8, total=8, padded=False) -> Batch:
    ids = torch.randint(5, 65, (total, tiny.LENGTH), generator=torch.Generator().manual_seed(3))
    attention = torch.ones_like(ids, dtype=torch.bool)
    if padded:
        attention[:, 9:] = False
    ids = ids.masked_fill(~attention, 0)[first : first + count]
    return Batch(
        input_ids=ids,
        special=ids < 5,
        attention=attention[first : first + count] if padded else None,
        rows=Rows(first=first, total=total),
    )


def streams_of(batch: Batch) -> Streams:
    return Streams(0, 4, rows=batch.rows.total, first=batch.rows.first, count=len(batch.input_ids))


def calls_of(step: TrainingStep) -> list[dict]:
    calls: list[dict] = []
    plain = step.encoder.forward

    def forward(**options):
        calls.append(options)
        return plain(**options)

    step.encoder.forward = forward
    return calls


def test_the_encoder_runs_once_and_returns_what_is_needed(tiny):
    for kind, asked in (
        (tiny.TinyMlm, {"input_ids"}),
        (tiny.TinyBoth, {"input_ids", "output_hidden_states"}),
    ):
        step = build(tiny, kind)
        calls = calls_of(step)
        batch = batch_of(tiny)
        totals, counts = step(batch, streams_of(batch))
        assert [set(call) for call in calls] == [asked]
        assert totals.shape == counts.shape == (len(step.objective.terms),)
        assert totals.requires_grad and not counts.requires_grad


def test_what_is_no_corruption_or_loss_is_named_with_who_returned_it(tiny):
    batch = batch_of(tiny)
    step = build(tiny, tiny.TinyMlm)
    step.objective.corrupt = lambda batch, streams: batch
    with pytest.raises(TypeError, match=r"^corrupt of tiny returns Batch, not a Corrupted: "):
        step(batch, streams_of(batch))
    step = build(tiny, tiny.TinyMlm)
    step.objective.terms[0].forward = lambda encoder_pass, streams: torch.zeros(())
    with pytest.raises(TypeError, match=r"^the term 'recover' returns Tensor, not a TermLoss$"):
        step(batch, streams_of(batch))


def test_a_mask_goes_in_only_with_padding_and_hides_it(tiny):
    step = build(tiny, tiny.TinyMlm).eval()
    calls = calls_of(step)
    batch = batch_of(tiny, padded=True)
    totals, _ = step(batch, streams_of(batch))
    assert "attention_mask" in calls[0]
    with torch.no_grad():
        changed = batch.input_ids.masked_fill(~batch.real, 17)
        other = Batch(changed, batch.special, batch.attention, batch.rows)
        torch.testing.assert_close(step(other, streams_of(batch))[0], totals)


def test_the_embedding_output_is_the_first_hidden_state(tiny):
    step = build(tiny, tiny.TinyBoth).eval()
    batch = batch_of(tiny)
    readings = step.corrupt(batch, streams_of(batch))
    corrupted, encoder_pass = readings.corrupted, step.encode(readings)
    full = step.encoder(input_ids=corrupted.input_ids, output_hidden_states=True)
    assert torch.equal(encoder_pass.embedding_output, full.hidden_states[0])
    assert torch.equal(encoder_pass.embedding_output, step.encoder.embeddings(corrupted.input_ids))
    assert encoder_pass.hidden_states is None


def test_gradients_averaged_over_processes_are_those_of_the_global_mean(tiny):
    step = build(tiny, tiny.TinyBoth).eval()
    weights = term_weights(step.objective, torch.device("cpu"))
    whole = batch_of(tiny)
    totals, counts = step(whole, streams_of(whole))
    expected = torch.autograd.grad(
        mean_loss(totals, counts, weights, 1), list(step.parameters()), allow_unused=True
    )
    averaged = [torch.zeros_like(p) for p in step.parameters()]
    parts = [batch_of(tiny, 0, 3), batch_of(tiny, 3, 5)]
    runs = [step(part, streams_of(part)) for part in parts]
    together = runs[0][1] + runs[1][1]
    assert torch.equal(together, counts)
    assert runs[0][1][0] != runs[1][1][0], "the processes should differ in their counts"
    for totals, _ in runs:
        loss = mean_loss(totals, together, weights, 2)
        gradients = torch.autograd.grad(loss, list(step.parameters()), allow_unused=True)
        for sum_, gradient in zip(averaged, gradients, strict=True):
            sum_ += 0 if gradient is None else gradient / 2
    for left, right in zip(averaged, expected, strict=True):
        torch.testing.assert_close(left, torch.zeros_like(left) if right is None else right)


def test_another_objectives_draws_leave_the_masks_alone(tiny):
    batch = batch_of(tiny)
    one = build(tiny, tiny.TinyMlm).objective.corrupt(batch, streams_of(batch))
    streams = streams_of(batch)
    streams.uniform("something else", 100)
    two = build(tiny, tiny.TinyBoth).objective.corrupt(batch, streams)
    assert torch.equal(one.input_ids, two.input_ids)
    assert torch.equal(one.targets, two.targets)


def test_a_count_of_zero_is_no_division_by_zero():
    zero = torch.zeros(1, requires_grad=True)
    loss = mean_loss(zero, torch.zeros(1), torch.ones(1), 1)
    loss.backward()
    assert loss == 0 and torch.isfinite(zero.grad).all()
