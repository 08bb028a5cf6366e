"""Which of transformers' attention kernels an encoder runs on, and what tokens may attend to.

torch's fused attention (``scaled_dot_product_attention``) is the fastest where it has a kernel for
the case. On a CPU in bfloat16 its backward pass is not: one thread of an AMD EPYC takes, forward
and backward, 36.5 ms fused and 24.5 ms with plain matrix products for 2 layers, 128 wide, 32 x 64
tokens; 17.7 and 7.0 ms at 64 wide and 32 x 32; still 351 and 330 ms for a layer 512 wide at 8 x
512 (torch 2.13, transformers 5.23). In float32 the two are level up to 128 tokens, then the fused
one wins. The plain one keeps its (T x T) probabilities, so it is used for short sequences only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from objbench.batch import Batch

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


def attention_mask(
    encoder: nn.Module, batch: Batch, causal: bool
) -> Tensor | dict[str, Tensor] | None:
    """What ``encoder`` takes as ``attention_mask``; None where every token may see every other.

    A causal mask is written out. A row of padding sees itself, so that no softmax is over nothing.

    Args:
        encoder: a transformers model; its kernel and its layers decide the form.
        batch: (B, T), padded or not.
        causal: whether tokens see only themselves and those before them.
    """
    if not causal:
        return None if batch.attention is None else batch.attention.to(torch.int64)
    length = batch.input_ids.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=batch.input_ids.device).tril()
    seen = seen.expand(len(batch.input_ids), 1, length, length)
    if batch.attention is not None:
        own = torch.eye(length, dtype=torch.bool, device=seen.device)
        seen = (seen & batch.attention[:, None, None, :]) | own
    return written_out(encoder, seen)


def written_out(encoder: nn.Module, seen: Tensor) -> Tensor | dict[str, Tensor]:
    """``seen`` in the form in which ``encoder`` takes a mask of its own making.

    transformers' encoders take a mask of four dimensions as it is: truth values for fused
    attention; for plain attention what is added to the scores, 0 or the smallest float32. An
    encoder with layers of two kinds (ModernBERT) would take it for both, and its local layers
    would see the whole sequence, so it is given one for each kind.

    Args:
        encoder: a transformers model.
        seen: (B, 1, T, T) bool, True where the token of a row may see that of a column.
    """
    config: Any = encoder.config
    kinds = getattr(config, "layer_types", None) or ()
    if "sliding_attention" not in kinds:
        return _for_kernel(config, seen)
    columns = torch.arange(seen.shape[-1], device=seen.device)
    near = (columns - columns.unsqueeze(1)).abs() <= config.sliding_window
    return {
        "full_attention": _for_kernel(config, seen),
        "sliding_attention": _for_kernel(config, seen & near),
    }


def _for_kernel(config: object, seen: Tensor) -> Tensor:
    # Fused attention alone takes truth values: added to scores they would hide nothing.
    if getattr(config, "_attn_implementation", "eager") == "sdpa":
        return seen
    return torch.zeros_like(seen, dtype=torch.float32).masked_fill(
        ~seen, torch.finfo(torch.float32).min
    )
