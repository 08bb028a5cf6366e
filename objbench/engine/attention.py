"""Which of transformers' attention kernels an encoder runs on.

torch's fused attention (``scaled_dot_product_attention``) is the fastest where it has a kernel for
the case. On a CPU in bfloat16 its backward pass is not: one thread of an AMD EPYC takes, forward
and backward, 36.5 ms fused and 24.5 ms with plain matrix products for 2 layers, 128 wide, 32 x 64
tokens; 17.7 and 7.0 ms at 64 wide and 32 x 32; still 351 and 330 ms for a layer 512 wide at 8 x
512 (torch 2.13, transformers 5.23). In float32 the two are level up to 128 tokens, then the fused
one wins. The plain one keeps its (T x T) probabilities, so it is used for short sequences only.
"""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import nn
from transformers import PreTrainedModel

PLAIN_UP_TO = 256
"""Longest sequence, in tokens, for which plain attention is used on a CPU in half precision."""


def choose_attention(module: nn.Module, device: torch.device, precision: str, length: int) -> None:
    """Let the encoders in ``module`` use the faster kernel for the case, in place.

    Args:
        module: transformers models, or what holds some; one that knows no plain attention is left
            as it is.
        device: where it will run.
        precision: "fp32", "bf16" or "fp16".
        length: T, the most tokens of a sequence.
    """
    if device.type != "cpu" or precision == "fp32" or length > PLAIN_UP_TO:
        return
    for model in module.modules():
        # Asked first, since transformers only logs where a model cannot change.
        if isinstance(model, PreTrainedModel) and model._can_set_attn_implementation():
            with suppress(ValueError):  # its answer where a model has no such kernel
                model.set_attn_implementation("eager")
