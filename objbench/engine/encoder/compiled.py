"""``torch.compile`` for the encoder, used only after its results were checked."""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from transformers import PreTrainedModel

from objbench.contract.batch import Batch
from objbench.engine.global_generators import forked_generators
from objbench.errors import one_line

TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 5e-2, torch.float16: 1e-2}
"""Largest accepted difference of hidden states, relative to their largest magnitude, by the
precision of the matrix products."""


def compile_encoder(encoder: PreTrainedModel, batch: Batch, log: logging.Logger) -> bool:
    """Compile ``encoder`` in place, or leave it unchanged and give the reason in a warning.

    Compiled and eager hidden states are compared without dropout on ``batch``, and a backward pass
    is run with dropout; nothing but the compilation remains of either.

    Args:
        batch: what is compared; an autocast around this call is in force.
        log: receives the warning.

    Returns:
        Whether the encoder is compiled now.
    """
    training = encoder.training
    device = batch.input_ids.device
    with forked_generators(device):
        try:
            encoder.train(False)
            with torch.no_grad():
                eager = encoder(input_ids=batch.input_ids).last_hidden_state
                encoder.compile()
                compiled = encoder(input_ids=batch.input_ids).last_hidden_state
            difference = float((eager - compiled).abs().max() / eager.abs().max())
            if not difference <= TOLERANCE[_precision(eager, device)]:
                raise ArithmeticError(f"compiled hidden states differ by {difference:.1e}")
            encoder.train(training)
            encoder(input_ids=batch.input_ids).last_hidden_state.float().sum().backward()
        except Exception as error:  # noqa: BLE001 - whatever it is, training works without it
            log.warning("torch.compile is not used: %s", one_line(error)[:300])
            encoder._compiled_call_impl = None
            return False
        finally:
            encoder.train(training)
            encoder.zero_grad(set_to_none=True)
    return True


def _precision(states: Tensor, device: torch.device) -> torch.dtype:
    """The precision of the matrix products that ``states`` were computed with.

    Not that of the states themselves: CUDA's autocast computes layer norms, the last of an
    encoder's operators, in float32, and a CPU's does not.
    """
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return states.dtype
