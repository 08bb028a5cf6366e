"""Activation checkpointing: layers that keep their input only, and are computed again backwards.

Chen et al. 2016 (arXiv:1604.06174). A step then holds one layer's activations at a time and one
(B, T, D) input per layer, and computes every layer's forward pass twice. The second pass starts
from the same input with the same state of the random generators, so that losses and gradients have
the same bits. ``torch.utils.checkpoint`` does it, for the layers that transformers marks.
"""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from objbench.errors import ConfigError


def recompute_layers(
    module: nn.Module, recomputes: bool = True, *, draws_random_numbers: bool = True
) -> None:
    """Let the layers of the encoders in ``module`` be computed again backwards or not, in place.

    Only in training mode, and only where something needs a gradient.

    Args:
        module: transformers models, or what holds some.
        recomputes: whether they are.
        draws_random_numbers: whether the generators' state has to be the same again; not where
            tensors have no numbers.

    Raises:
        ConfigError: an encoder has no layers that transformers marks as possible.
    """
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=draws_random_numbers)
    for model in module.modules():
        if not isinstance(model, PreTrainedModel):
            continue
        layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
        if recomputes and not layers:
            raise ConfigError(
                "training.activation_checkpointing: transformers cannot recompute the layers of "
                f"{model.config.model_type!r}; leave it out, or save memory with "
                "training.micro_batches"
            )
        for layer in layers:
            layer.gradient_checkpointing = recomputes
            layer._gradient_checkpointing_func = again  # type: ignore[assignment]
