"""What is fast on a CPU is used on a CPU, and only there."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

from objbench.engine.encoder.cpu_dropout import CountedDropout
from objbench.engine.encoder.cpu_kernels import use_cpu_kernels

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 40}


@pytest.mark.parametrize(
    ("device", "training", "attention", "dropout"),
    [
        ("cpu", True, "objbench_plain", CountedDropout),
        ("cpu", False, "objbench_plain", nn.Dropout),
        ("cuda", True, "sdpa", nn.Dropout),
    ],
)
def test_attention_always_and_dropout_for_training(device, training, attention, dropout):
    model = AutoModel.from_config(AutoConfig.for_model("bert", intermediate_size=16, **SIZES))
    use_cpu_kernels(model, torch.device(device), "bf16", 16, training)
    assert model.config._attn_implementation == attention
    kinds = {type(module) for module in model.modules() if isinstance(module, nn.Dropout)}
    assert kinds == {dropout}
