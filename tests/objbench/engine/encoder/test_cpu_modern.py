"""ModernBERT's layers without their copies have the bits of transformers' own, forward and backward."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers.models.modernbert.modeling_modernbert import ModernBertAttention, ModernBertMLP

from objbench.engine.encoder import cpu_modern
from objbench.engine.encoder.build import build_encoder
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels
from objbench.engine.encoder.cpu_modern import (
    CpuModernBertAttention,
    CpuModernBertMLP,
    RotatedParts,
    choose_modern_layers,
)
from objbench.engine.measuring.objective_size import made_up_vocabulary
from objbench.study.settings import EncoderSection


def encoder_of(width=64, heads=2, inner=88, **fields):
    config = {
        "num_hidden_layers": 2,
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "max_position_embeddings": 64,
        "layer_types": ["full_attention", "sliding_attention"],
        "local_attention": 8,
        **fields,
    }
    section = EncoderSection(model_type="modernbert", config=config)
    return build_encoder(section, made_up_vocabulary(60), 40, seed=0).train()


def step_of(encoder, precision, padded):
    """Hidden states and every gradient of one pass; dropout is drawn the same each time."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(5, 60, (5, 37), generator=draw)
    mask = (
        (torch.arange(37) < torch.tensor([[37], [30], [9], [37], [1]])).long() if padded else None
    )
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    states.backward(torch.randn(states.shape, generator=draw).to(states.dtype))
    found = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad(set_to_none=True)
    return {"states": states.detach(), **found}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"attention_dropout": 0.2, "mlp_dropout": 0.2, "embedding_dropout": 0.1},
        {"width": 96, "heads": 3, "inner": 37, "mlp_bias": True, "attention_bias": True},
    ],
)
def test_bits_are_transformers_own(precision, padded, fields):
    plain = encoder_of(**fields)
    faster = copy.deepcopy(plain)
    for encoder, choice in ((plain, lambda *_, **__: None), (faster, choose_modern_layers)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cpu_modern, "choose_modern_layers", choice)
            use_cpu_kernels(encoder, torch.device("cpu"), precision, 40, training=True)
    kinds = {type(layer) for layer in faster.modules()}
    assert {CpuModernBertAttention, CpuModernBertMLP} <= kinds
    assert not {ModernBertAttention, ModernBertMLP} & kinds
    own, found = (step_of(encoder, precision, padded) for encoder in (plain, faster))
    assert own.keys() == found.keys()
    for name in own:
        assert torch.equal(own[name], found[name]), name


def test_rotation_is_the_formula():
    draw = torch.Generator().manual_seed(0)
    together = torch.randn(2, 3, 3, 2, 4, generator=draw)
    angles = torch.randn(1, 3, 4, generator=draw)
    queries, keys, values = RotatedParts.apply(together, angles.cos(), angles.sin())
    for place, found in ((0, queries), (1, keys)):
        for row, token, head, at in torch.cartesian_prod(*map(torch.arange, (2, 3, 2, 4))).tolist():
            x, angle = together[row, token, place, head].double(), angles[0, token, at].double()
            partner = -x[at + 2] if at < 2 else x[at - 2]
            wanted = x[at] * torch.cos(angle) + partner * torch.sin(angle)
            assert float(found[row, head, token, at]) == pytest.approx(float(wanted), abs=1e-6)
    assert torch.equal(values, together[:, :, 2].transpose(1, 2))


def test_layers_of_other_bits_and_other_units_stay_as_they_are(monkeypatch):
    silu = encoder_of(hidden_activation="silu")
    choose_modern_layers(silu, "fp32")
    assert not any(isinstance(layer, CpuModernBertMLP) for layer in silu.modules())
    plain = cpu_modern.GatedUnits.backward
    wrong = staticmethod(lambda ctx, gradient: plain(ctx, gradient).nextafter(torch.tensor(9.0)))
    monkeypatch.setattr(cpu_modern.GatedUnits, "backward", wrong)
    other = encoder_of()
    before = [parameter.clone() for parameter in other.parameters()]
    choose_modern_layers(other, "fp32")
    assert any(isinstance(layer, CpuModernBertAttention) for layer in other.modules())
    assert not any(isinstance(layer, CpuModernBertMLP) for layer in other.modules())
    assert other.training and all(layer.training for layer in other.modules())
    assert all(map(torch.equal, other.parameters(), before))
    assert all(parameter.grad is None for parameter in other.parameters())


def test_dropout_in_a_checked_layer_draws_nothing():
    encoder = encoder_of(attention_dropout=0.3, mlp_dropout=0.3)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    choose_modern_layers(encoder, "bf16")
    assert torch.equal(torch.rand(3), wanted)
