"""ModernBERT's layers on a CPU without their copies: rotated positions and gated units, bit for bit.

transformers' layers rotate queries and keys by way of concatenated halves, and
their backward passes put together the gradients of queries, keys and values, and of the two halves
of gated units, from separate tensors. The two functions here compute every number by the same
operations in the same precision, and write it where it is wanted:

    rotated(x)  = x cos + (-x2, x1) sin          with x = (x1, x2), of queries and of keys
    gated(a, g) = GELU(a) g

A gradient of 4 layers x 256, 64 x 128 tokens, in bfloat16 takes 0.90 of the processor's time so (five
in turns, 0.81 to 1.11, one thread of an Intel Xeon with AMX that others shared; torch 2.13).

They take the place of transformers' own where a comparison of one pass and its gradients finds equal
bits, so that no number depends on whether they do. Transformers' classes and weights stay.

Shape legend: B sequences, T tokens, H heads, D width of a head, I width of the gated units.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from transformers.activations import GELUActivation
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.modernbert.modeling_modernbert import (
    ModernBertAttention,
    ModernBertMLP,
    eager_attention_forward,
)


class RotatedParts(Function):
    """Queries and keys with their positions, and values, from what one matrix product made of them."""

    @staticmethod
    def forward(
        ctx: Any, together: Tensor, cosine: Tensor, sine: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, 3, H, D) to three of (B, H, T, D), contiguous, in the same dtype.

        Args:
            ctx: autograd's.
            together: queries, keys and values.
            cosine, sine: (1 or B, T, D) float32.
        """
        cosine, sine = cosine.unsqueeze(1), sine.unsqueeze(1)
        ctx.save_for_backward(cosine, sine)
        parts = together.permute(2, 0, 3, 1, 4)
        half = together.shape[-1] // 2
        # In float32, as transformers has it.
        plain = torch.empty(parts[:2].shape, dtype=torch.float32).copy_(parts[:2])
        turned = plain * cosine
        turned[..., :half].sub_(plain[..., half:] * sine[..., :half])
        turned[..., half:].add_(plain[..., :half] * sine[..., half:])
        turned = turned.to(together.dtype)
        return turned[0], turned[1], parts[2].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Three of (B, H, T, D) to (B, T, 3, H, D)."""
        cosine, sine = ctx.saved_tensors
        values = gradients[2]
        rows, heads, length, width = values.shape
        half = width // 2
        found = torch.empty(rows, length, 3, heads, width, dtype=values.dtype)
        parts = found.permute(2, 0, 3, 1, 4)
        parts[2].copy_(values)
        for part, gradient in zip(parts[:2], gradients[:2], strict=True):
            whole = gradient.float()
            # Two summands, each rounded to the dtype before they are added, as autograd does.
            straight = (whole * cosine).to(values.dtype)
            crossed = (whole * sine).to(values.dtype)
            torch.add(straight[..., :half], crossed[..., half:], out=part[..., :half])
            torch.sub(straight[..., half:], crossed[..., :half], out=part[..., half:])
        return found, None, None


class GatedUnits(Function):
    """GELU of one half of the units times the other half."""

    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        """(B, T, 2 I) to (B, T, I)."""
        units, gates = both.chunk(2, dim=-1)
        active = nn.functional.gelu(units)
        ctx.save_for_backward(both, active)
        return active * gates

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """(B, T, I) to (B, T, 2 I)."""
        both, active = ctx.saved_tensors
        units, gates = both.chunk(2, dim=-1)
        found = torch.empty_like(both)
        of_units, of_gates = found.chunk(2, dim=-1)
        torch.mul(gradient, active, out=of_gates)
        torch.ops.aten.gelu_backward.grad_input(gradient * gates, units, grad_input=of_units)
        return found


class CpuModernBertAttention(ModernBertAttention):
    """transformers' attention with ``RotatedParts``."""

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        attention_mask: Tensor | None = None,
        **options: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, T, H D) to (B, T, H D), and the probabilities where the kernel keeps them."""
        rows, length, _ = hidden_states.shape
        together = self.Wqkv(hidden_states).view(rows, length, 3, -1, self.head_dim)
        assert position_embeddings is not None
        apply: Any = RotatedParts.apply
        queries, keys, values = apply(together, *position_embeddings)
        kernel = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        mixed, shares = kernel(
            self,
            queries,
            keys,
            values,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.head_dim**-0.5,
            sliding_window=self.sliding_window,
            deterministic=self.deterministic_flash_attn,
            **options,
        )
        return self.out_drop(self.Wo(mixed.reshape(rows, length, -1).contiguous())), shares


class CpuModernBertMLP(ModernBertMLP):
    """transformers' gated units with ``GatedUnits``."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(B, T, H D) to (B, T, H D)."""
        apply: Any = GatedUnits.apply
        made: Tensor = self.Wo(self.drop(apply(self.Wi(hidden_states))))
        return made


_FASTER: dict[type[nn.Module], type[nn.Module]] = {
    ModernBertAttention: CpuModernBertAttention,
    ModernBertMLP: CpuModernBertMLP,
}


def choose_modern_layers(module: nn.Module, precision: str, *, is_checked: bool = True) -> None:
    """Let layers of ModernBERT in ``module`` be computed as above, in place, where the bits are equal.

    Args:
        module: transformers models on a CPU that are to train, or what holds some.
        precision: "fp32", "bf16" or "fp16".
        is_checked: whether a layer must be seen to compute the same; not where it has no numbers.
    """
    if precision == "fp16":  # which a CPU does not train in
        return
    for layer in module.modules():
        faster = _FASTER.get(type(layer))
        # Another activation than GELU, such as SiLU, has another backward pass.
        if faster is CpuModernBertMLP and type(getattr(layer, "act", None)) is not GELUActivation:
            continue
        if faster is not None and (not is_checked or _has_equal_bits(layer, faster, precision)):
            layer.__class__ = faster


def _has_equal_bits(layer: nn.Module, faster: type[nn.Module], precision: str) -> bool:
    before = type(layer)
    modes = [(part, part.training) for part in layer.modules()]
    layer.train(False)  # No dropout, which would draw random numbers.
    try:
        own = _sample(layer, precision)
        layer.__class__ = faster
        found = _sample(layer, precision)
    except (
        RuntimeError,
        TypeError,
        AttributeError,
    ):  # transformers' layer is another than this one
        return False
    finally:
        layer.__class__ = before
        for part, training in modes:
            part.training = training
    return all(torch.equal(one, other) for one, other in zip(own, found, strict=True))


def _sample(layer: Any, precision: str) -> list[Tensor]:
    """What ``layer`` makes of a few numbers, and the gradients of its input and first weights."""
    draw = torch.Generator().manual_seed(0)
    width = layer.config.hidden_size
    states = torch.randn(2, 9, width, generator=draw).requires_grad_()
    options: dict[str, Any] = {}
    if isinstance(layer, ModernBertAttention):
        angles = torch.randn(1, 9, layer.head_dim, generator=draw)
        options["position_embeddings"] = (angles.cos(), angles.sin())
    first = next(iter(layer.parameters()))
    with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        made = layer(states, **options)
        made = made[0] if isinstance(made, tuple) else made
    # Numbers of both signs: the gradient of a sum would be the same everywhere.
    down = torch.randn(made.shape, generator=draw).to(made.dtype)
    return [made.detach(), *torch.autograd.grad(made, (states, first), down)]
