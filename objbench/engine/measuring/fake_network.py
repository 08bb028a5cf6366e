"""Encoders for a step without numbers: built without memory, and given tensors that have only shapes."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from objbench.contract.encoder_spec import Vocabulary
from objbench.engine.encoder.build import build_encoder
from objbench.study.settings import EncoderSection

Planned = Literal["cpu", "cuda"]
"""The kind of device that a step is planned for."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Precision -> the number format of activations."""


def planned_network(
    section: EncoderSection, vocabulary: Vocabulary, length: int, planned: Planned
) -> PreTrainedModel:
    """The encoder on the device of the context; for a GPU without dropout inside attention.

    Fused attention draws that dropout itself there, and keeps none of its (T x T) probabilities; the
    CPU's falls back to plain products, which do.
    """
    built = build_encoder(section, vocabulary, length, seed=0)
    if planned == "cpu" or section.init is not None:
        return built
    rates = {
        name: 0.0
        for name, rate in built.config.to_dict().items()
        if "attention" in name and "dropout" in name and isinstance(rate, float) and rate
    }
    if not rates:
        return built
    known = {**section.config, **rates}
    return build_encoder(section.model_copy(update={"config": known}), vocabulary, length, seed=0)


def materialise(modules: list[nn.Module]) -> None:
    """Give fake tensors on the CPU to what was built on "meta"; what is shared stays shared."""
    made: dict[int, tuple[Tensor, Tensor]] = {}
    for module in (part for whole in modules for part in whole.modules()):
        tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for own in tables:
            for name, tensor in own.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    fake: Tensor = torch.empty_like(tensor, device="cpu")
                    if isinstance(tensor, nn.Parameter):
                        fake = nn.Parameter(fake, requires_grad=tensor.requires_grad)
                    made[id(tensor)] = tensor, fake
                own[name] = made[id(tensor)][1]
