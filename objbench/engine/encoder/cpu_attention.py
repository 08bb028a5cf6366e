"""The attention of encoders on a CPU: plain matrix products where fused attention is slower.

torch's fused attention (``scaled_dot_product_attention``) is the fastest where it has a kernel for
the case. On a CPU there are two cases where it is not:

- With dropout in it there is no fused kernel on a CPU: torch falls back to plain products and to
  dropout's slow coins.
- In bfloat16 its backward pass is slow: one thread of an AMD EPYC takes, forward and backward,
  36.5 ms fused and 24.5 ms with plain matrix products for 2 layers, 128 wide, 32 x 64 tokens; 17.7
  and 7.0 ms at 64 wide and 32 x 32; still 351 and 330 ms for a layer 512 wide at 8 x 512 (torch
  2.13, transformers 5.23). In float32 the two are level up to 128 tokens, then the fused one wins.

There ``plain_attention`` runs: transformers' own eager attention with the dropout of
``cpu_dropout``, which is torch's own in an encoder that is compiled. It keeps its (T x T)
probabilities, as torch's fallback does, so without dropout it is used for short sequences only.
Some models' eager attention does more than the common one (caps scores, adds sinks or biases), so
it is used only where a test shows that it computes the same as the model's own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from objbench.engine.encoder.cpu_dropout import dropout as counted_dropout

PLAIN_UP_TO = 256
"""Longest sequence, in tokens, for which plain attention without dropout is used on a CPU in half
precision."""

PLAIN = "objbench_plain"
"""Name of ``plain_attention`` among transformers' attention kernels."""

_TOLERANCE = 1e-4
"""Largest accepted difference of hidden states in float32, relative to their largest."""


def plain_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """dropout(softmax(q k^T * scaling + mask)) v, as transformers' ``eager_attention_forward``.

    Args:
        module: the attention layer; training or not.
        query, key, value: (B, H, T, D).
        attention_mask: (B, 1, T, T), added to the scores; None if every token sees every other.
        scaling: 1 / sqrt(D) if None.
        dropout: rate of the probabilities' dropout.

    Returns:
        (B, T, H, D), and the probabilities (B, H, T, T).
    """
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    # The query is scaled, since it is smaller than the scores.
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    if attention_mask is not None:
        scores = scores + attention_mask
    shares = counted_dropout(torch.softmax(scores, dim=-1), dropout, module.training)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), shares


AttentionInterface.register(PLAIN, plain_attention)
AttentionMaskInterface.register(PLAIN, eager_mask)


def choose_attention(
    module: nn.Module, precision: str, length: int, training: bool, *, is_checked: bool = True
) -> None:
    """Let the encoders in ``module`` use the faster kernel for the case, in place.

    Args:
        module: transformers models on a CPU, or what holds some; one that knows no plain
            attention, or another than the common one, is left as it is.
        precision: "fp32", "bf16" or "fp16".
        length: T, the most tokens of a sequence.
        training: whether it is to train, so that dropout counts.
        is_checked: whether a model must be seen to compute the same; not where it has no numbers.
    """
    short = precision != "fp32" and length <= PLAIN_UP_TO
    for model in module.modules():
        # Checked first, since transformers only logs if a model cannot change.
        if not isinstance(model, PreTrainedModel) or not model._can_set_attn_implementation():
            continue
        if short or (training and _drops_attention(model)):
            _use_plain(model, short, is_checked)


def _drops_attention(model: PreTrainedModel) -> bool:
    """Whether the model's configuration has a nonzero rate of dropout on attention."""
    fields = model.config.to_dict().items()
    return any("attention" in name and "dropout" in name and bool(rate) for name, rate in fields)


def _use_plain(model: PreTrainedModel, short: bool, is_checked: bool) -> None:
    """Let ``model`` use ``plain_attention`` if its own computes the same, else its own if short."""
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")
    except ValueError:  # raised by transformers if a model has no such kernel
        return
    if not is_checked:
        model.set_attn_implementation(PLAIN)
        return
    own = _sample_states(model)
    with suppress(RuntimeError):  # raised by torch if shapes are not the common ones
        model.set_attn_implementation(PLAIN)
        difference = (_sample_states(model) - own).abs().max()
        if float(difference) <= _TOLERANCE * float(own.abs().max()):
            return
    model.set_attn_implementation("eager" if short else before)


@torch.no_grad()
def _sample_states(model: PreTrainedModel) -> Tensor:
    """Hidden states of two short sequences, the second one padded, in float32."""
    modes = [(module, module.training) for module in model.modules()]
    # From the configuration: a model that borrows its embeddings may have none of its own.
    ids = torch.arange(12).view(2, 6) % int(getattr(model.config, "vocab_size", 1))
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    model.train(False)
    states: Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
    for module, training in modes:
        module.training = training
    return states
