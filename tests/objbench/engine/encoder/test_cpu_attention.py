"""Which attention an encoder trains with, and that it computes what its own does."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModel

from objbench.engine.encoder.cpu_attention import PLAIN, choose_attention, plain_attention

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 40,
    "max_position_embeddings": 32,
}


def encoder(kind="bert", rate=0.1, **fields):
    name = "attention_dropout" if kind == "modernbert" else "attention_probs_dropout_prob"
    if kind == "modernbert":  # its special tokens lie beyond so small a vocabulary
        ends = ("bos", "cls", "eos", "pad", "sep")
        fields = {**fields, **{f"{end}_token_id": number for number, end in enumerate(ends)}}
    config = AutoConfig.for_model(kind, **{**SIZES, name: rate, **fields})
    torch.manual_seed(0)
    return AutoModel.from_config(config).train()


def kernel(model):
    return model.config._attn_implementation


@pytest.mark.parametrize(
    ("precision", "length", "rate", "training", "expected"),
    [
        ("fp32", 128, 0.1, True, PLAIN),
        ("fp32", 4096, 0.1, True, PLAIN),
        ("fp32", 128, 0.1, False, "sdpa"),
        ("fp32", 128, 0.0, True, "sdpa"),
        ("bf16", 128, 0.0, False, PLAIN),
        ("bf16", 512, 0.0, True, "sdpa"),
        ("bf16", 512, 0.1, True, PLAIN),
    ],
)
def test_plain_where_dropout_or_half_precision_wants_it(
    precision, length, rate, training, expected
):
    model = encoder(rate=rate)
    choose_attention(model, precision, length, training)
    assert kernel(model) == expected
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "modernbert"])
def test_padded_hidden_states_and_gradients_are_those_of_fused_attention(kind):
    models = [encoder(kind).eval() for _ in range(2)]
    choose_attention(models[1], "fp32", 8, training=True)
    assert [kernel(model) for model in models] == ["sdpa", PLAIN]
    ids = torch.randint(5, 40, (3, 8), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(8) < torch.tensor([[8], [5], [1]])).long()
    states = []
    for model in models:
        states.append(model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()])
        states[-1].square().sum().backward()
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-5)
    for (name, ours), theirs in zip(
        models[1].named_parameters(), models[0].parameters(), strict=True
    ):
        if theirs.grad is not None:
            torch.testing.assert_close(
                ours.grad, theirs.grad, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_a_model_whose_attention_does_more_keeps_its_own(monkeypatch):
    """Scores that are capped, as some models do it in their eager attention."""
    from transformers.models.bert import modeling_bert

    def capped(module, query, key, value, mask, scaling=None, dropout=0.0, **kwargs):
        return plain_attention(module, query, key.tanh(), value, mask, scaling, dropout)

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", capped)
    model = encoder(initializer_range=0.5)
    choose_attention(model, "fp32", 8, training=True)
    assert kernel(model) == "sdpa"
    choose_attention(model, "bf16", 8, training=True)
    assert kernel(model) == "eager"


def test_probabilities_are_dropped_in_training_only():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 2, 6, 4).unbind()
    layer = torch.nn.Linear(1, 1)
    _, dropped = plain_attention(layer, query, key, value, None, dropout=0.5)
    assert 0.3 < (dropped == 0).double().mean() < 0.7
    found, kept = plain_attention(layer.eval(), query, key, value, None, dropout=0.5)
    torch.testing.assert_close(kept.sum(-1), torch.ones(2, 2, 6))
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(found, expected.transpose(1, 2))
    both = kept * (dropped != 0) / 0.5
    torch.testing.assert_close(dropped, both)
