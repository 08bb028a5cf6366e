"""The one switch for what makes a small encoder fast on a CPU; nothing of it runs on a GPU."""

from __future__ import annotations

import torch
from torch import nn


def use_cpu_kernels(
    module: nn.Module,
    device: torch.device,
    precision: str,
    length: int,
    training: bool = False,
    *,
    is_checked: bool = True,
) -> None:
    """Let ``module`` use the attention, dropout and layers that are fastest on a CPU, in place.

    Attention computes the same up to rounding, and the layers of ``cpu_modern`` the same bits.
    Dropout draws other masks of the same distribution. On any other device the module is left as it is.

    Args:
        module: transformers models, or what holds some.
        device: where it will run; its weights are there.
        precision: "fp32", "bf16" or "fp16".
        length: T, the most tokens of a sequence.
        training: whether it is to train without ``torch.compile``, so that dropout counts.
        is_checked: whether a model must be seen to compute the same; not where it has no numbers.
    """
    if device.type != "cpu":
        return
    # Imported here, so that none is loaded for a GPU.
    from objbench.engine.encoder.cpu_attention import choose_attention
    from objbench.engine.encoder.cpu_dropout import choose_dropout
    from objbench.engine.encoder.cpu_modern import choose_modern_layers

    choose_attention(module, precision, length, training, is_checked=is_checked)
    if training:
        choose_dropout(module)
        choose_modern_layers(module, precision, is_checked=is_checked)
