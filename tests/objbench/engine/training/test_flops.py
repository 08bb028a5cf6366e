"""FLOPs: a hand count, and no difference between kernels that do the same work."""

from __future__ import annotations

import pytest
import torch

from objbench.contract.batch import Batch, Rows
from objbench.contract.random_streams import Streams
from objbench.engine.encoder.build import build_encoder, build_objective, encoder_spec_of
from objbench.engine.training.flops import count_training_flops
from objbench.engine.training.step import TrainingStep
from objbench.study.settings import EncoderSection

B, T, D, F, H, LAYERS, M = 4, 12, 16, 32, 2, 2, 3


def build(tiny, attention="sdpa", dropout=0.1, kind=None) -> TrainingStep:
    section = tiny.encoder_section(
        hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    encoder = build_encoder(section, tiny.VOCABULARY, T, seed=0)
    encoder.set_attn_implementation(attention)
    kind = kind or tiny.TinyMlm
    objective = build_objective(
        kind, kind.Config(), encoder_spec_of(encoder, tiny.VOCABULARY), seed=0
    )
    return TrainingStep(encoder, objective).train()


def batch_of() -> Batch:
    ids = torch.randint(5, 65, (B, T), generator=torch.Generator().manual_seed(0))
    return Batch(ids, ids < 5, None, Rows.alone(B))


def count(step: TrainingStep) -> float:
    return count_training_flops(step, batch_of(), Streams(0, 0, rows=B)).flops


def by_hand(vocabulary: int) -> float:
    """2 FLOPs a multiply-add; a product costs once forward and twice backward."""
    projections = LAYERS * (4 * D * D + 2 * D * F) * B * T
    attention = LAYERS * 2 * B * T * T * D
    head = B * M * (D * D + D * vocabulary)
    return 2 * 3 * (projections + attention + head)


def test_the_count_is_the_hand_formula(tiny):
    assert count(build(tiny)) == pytest.approx(by_hand(tiny.VOCABULARY.size), rel=0.01)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_kernels_and_dropout_make_no_difference(tiny, attention, dropout):
    expected = count(build(tiny, "eager", 0.0))
    assert count(build(tiny, attention, dropout)) == pytest.approx(expected, rel=0.01)


def test_precision_makes_no_difference(tiny):
    expected = count(build(tiny))
    with torch.autocast("cpu", torch.bfloat16):
        assert count(build(tiny)) == pytest.approx(expected, rel=0.01)


def test_modernbert_counts_alike_with_both_kernels(tiny):
    section = EncoderSection(
        model_type="modernbert",
        config={
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
        },
    )
    counts = []
    for attention in ("sdpa", "eager"):
        encoder = build_encoder(section, tiny.VOCABULARY, T, seed=0)
        encoder.set_attn_implementation(attention)
        encoder_spec = encoder_spec_of(encoder, tiny.VOCABULARY)
        objective = build_objective(tiny.TinyMlm, tiny.TinyMlm.Config(), encoder_spec, seed=0)
        counts.append(count(TrainingStep(encoder, objective).train()))
    assert counts[0] == pytest.approx(counts[1], rel=0.01)


def test_declared_work_is_added(tiny):
    class Declares(tiny.TinyMlm):
        def extra_flops(self, batch: int, length: int) -> float:
            return super().extra_flops(batch, length) + 1000.0 * batch * length

    assert count(build(tiny, kind=Declares)) - count(build(tiny)) == 1000 * B * T


def test_counting_leaves_no_trace(tiny):
    step = build(tiny)
    step.register_buffer("seen", torch.zeros(()))
    step.encoder.register_forward_hook(lambda *_: step.seen.add_(1) and None)
    before = {name: value.clone() for name, value in step.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    counted = count_training_flops(step, batch_of(), Streams(0, 0, rows=B))
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(before[name], value) for name, value in step.state_dict().items())
    assert all(p.grad is None for p in step.parameters())
    assert counted.unused == ()


def test_unused_parameters_are_named(tiny):
    step = build(tiny)
    step.objective.spare = torch.nn.Linear(2, 2)
    counted = count_training_flops(step, batch_of(), Streams(0, 0, rows=B))
    assert counted.unused == ("objective.spare.weight", "objective.spare.bias")
