"""Which of transformers' attention kernels an encoder runs on, and what tokens may attend to.

torch's fused attention (``scaled_dot_product_attention``) is the fastest where it has a kernel for
the case. On a CPU there are two where it is not:

- With dropout in it there is no fused kernel on a CPU: torch falls back to plain products and to
  dropout's slow coins.
- In bfloat16 its backward pass is slow: one thread of an AMD EPYC takes, forward and backward,
  36.5 ms fused and 24.5 ms with plain matrix products for 2 layers, 128 wide, 32 x 64 tokens; 17.7
  and 7.0 ms at 64 wide and 32 x 32; still 351 and 330 ms for a layer 512 wide at 8 x 512 (torch
  2.13, transformers 5.23). In float32 the two are level up to 128 tokens, then the fused one wins.

There ``plain_attention`` runs: transformers' own eager attention with the dropout of
``engine.dropout``, which is torch's own in an encoder that is compiled. It keeps its (T x T)
probabilities, as torch's fallback does; so without dropout it is used for short sequences only.
Some models' eager attention does more than the common one (caps scores, adds sinks or biases), so
it is used where it computes what the model's own does, and that is looked at first.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from objbench.contract.batch import Batch
from objbench.engine.encoder.dropout import dropout as counted_dropout

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
        attention_mask: (B, 1, T, T), added to the scores; None where all tokens are seen.
        scaling: 1 / sqrt(D) where it is None.
        dropout: rate of the probabilities' dropout.

    Returns:
        (B, T, H, D), and the probabilities (B, H, T, T).
    """
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    # The query is scaled: it is smaller than the scores.
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    if attention_mask is not None:
        scores = scores + attention_mask
    shares = counted_dropout(torch.softmax(scores, dim=-1), dropout, module.training)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), shares


AttentionInterface.register(PLAIN, plain_attention)
AttentionMaskInterface.register(PLAIN, eager_mask)


def choose_attention(
    module: nn.Module, device: torch.device, precision: str, length: int, training: bool = False
) -> None:
    """Let the encoders in ``module`` use the faster kernel for the case, in place.

    Args:
        module: transformers models, or what holds some; one that knows no plain attention, or
            another than the common one, is left as it is.
        device: where it will run; its weights are there.
        precision: "fp32", "bf16" or "fp16".
        length: T, the most tokens of a sequence.
        training: whether it is to train, so that dropout counts.
    """
    if device.type != "cpu":
        return
    short = precision != "fp32" and length <= PLAIN_UP_TO
    for model in module.modules():
        # Asked first, since transformers only logs where a model cannot change.
        if not isinstance(model, PreTrainedModel) or not model._can_set_attn_implementation():
            continue
        if short or (training and _drops_attention(model)):
            _use_plain(model, short)


def _drops_attention(model: PreTrainedModel) -> bool:
    """Whether the model's configuration names a rate of dropout on attention that is not 0."""
    fields = model.config.to_dict().items()
    return any("attention" in name and "dropout" in name and bool(rate) for name, rate in fields)


def _use_plain(model: PreTrainedModel, short: bool) -> None:
    """Let ``model`` use ``plain_attention`` if that is what its own is, else its own if short."""
    before = model.config._attn_implementation
    try:
        model.set_attn_implementation("eager")
    except ValueError:  # transformers' answer where a model has no such kernel
        return
    own = _looked_at(model)
    with suppress(RuntimeError):  # torch's, where shapes are not the common ones
        model.set_attn_implementation(PLAIN)
        difference = (_looked_at(model) - own).abs().max()
        if float(difference) <= _TOLERANCE * float(own.abs().max()):
            return
    model.set_attn_implementation("eager" if short else before)


@torch.no_grad()
def _looked_at(model: PreTrainedModel) -> Tensor:
    """Hidden states of two short sequences, the second one padded, in float32."""
    modes = [(module, module.training) for module in model.modules()]
    # By the configuration: a model that borrows its embeddings may have none to ask.
    ids = torch.arange(12).view(2, 6) % int(getattr(model.config, "vocab_size", 1))
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    model.train(False)
    states: Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
    for module, training in modes:
        module.training = training
    return states


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
