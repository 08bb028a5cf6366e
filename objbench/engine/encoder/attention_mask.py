"""Which tokens may attend to which, in the form that an encoder and its attention kernel take."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from objbench.contract.batch import Batch

_READ_PADDING_THEMSELVES = frozenset({"esm", "longformer", "neomme", "ultrabert"})
"""Model types: ESM scales its embeddings by the share of masked tokens, Longformer pads to windows,
NeoMME and UltraBERT make the masks of their local layers themselves."""


def attention_mask(
    encoder: nn.Module, batch: Batch, causal: bool
) -> Tensor | dict[str, Tensor] | None:
    """The ``attention_mask`` for ``encoder``; None if every token may see every other.

    A causal mask is explicit, a matrix per sequence. A padding token sees itself, so that no softmax
    is over nothing.

    Args:
        encoder: a transformers model; its kernel and its layers decide the form.
        batch: (B, T), padded or not.
        causal: whether tokens see only themselves and those before them.
    """
    if not causal:
        return padding_mask(encoder, batch.attention)
    length = batch.input_ids.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=batch.input_ids.device).tril()
    seen = seen.expand(len(batch.input_ids), 1, length, length)
    if batch.attention is not None:
        own = torch.eye(length, dtype=torch.bool, device=seen.device)
        seen = (seen & batch.attention[:, None, None, :]) | own
    return written_out(encoder, seen)


def padding_mask(encoder: nn.Module, attention: Tensor | None) -> Tensor | dict[str, Tensor] | None:
    """The ``attention_mask`` for ``encoder`` where every token may see every other but padding.

    transformers' encoders look into a mask of two dimensions, to leave it out where nothing is
    padded, so the host waits for a GPU in every forward pass. They do not look into one that is
    written out. A CPU keeps nobody waiting, and there leaving it out saves time.

    Args:
        encoder: a transformers model.
        attention: (B, T) bool or int64, 0 at padding; None where nothing is padded.
    """
    if attention is None:
        return None
    if attention.device.type == "cpu" or not takes_written_out(encoder):
        return attention.to(torch.int64)
    rows, length = attention.shape
    return written_out(encoder, attention.bool()[:, None, None, :].expand(rows, 1, length, length))


def takes_written_out(encoder: nn.Module) -> bool:
    """Whether a mask of four dimensions means to ``encoder`` what one of two does.

    It does where transformers' common function makes the mask and nothing else reads it. The list
    of exceptions is complete for the families that can be pretrained: a test runs them all.
    """
    config: Any = encoder.config
    module = sys.modules.get(type(encoder).__module__)
    return (
        hasattr(module, "create_bidirectional_mask")
        and getattr(config, "model_type", "") not in _READ_PADDING_THEMSELVES
        and getattr(config, "_attn_implementation", "eager") in ("eager", "sdpa")
    )


def written_out(encoder: nn.Module, seen: Tensor) -> Tensor | dict[str, Tensor]:
    """``seen`` as an explicit mask in the form that ``encoder`` takes.

    transformers' encoders use a mask of four dimensions unchanged: booleans for fused attention;
    for plain attention what is added to the scores, 0 or the smallest float32. An encoder with
    layers of two kinds (ModernBERT) would use it for both, and its local layers would see the
    whole sequence, so it gets one mask per kind.

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
    # Only fused attention takes booleans: added to scores they would hide nothing.
    if getattr(config, "_attn_implementation", "eager") == "sdpa":
        return seen
    return torch.zeros_like(seen, dtype=torch.float32).masked_fill(
        ~seen, torch.finfo(torch.float32).min
    )
