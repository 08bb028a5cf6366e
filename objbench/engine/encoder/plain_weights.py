"""An encoder whose weights are what it computes with, for exports.

An objective may train an encoder through another parametrisation of its weights
(``torch.nn.utils.parametrize``), such as a sum of two tables. No library that loads the encoder knows
of it, so the values are exported.
"""

from __future__ import annotations

import copy
from typing import cast

from torch import nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel


def with_plain_weights(encoder: PreTrainedModel) -> PreTrainedModel:
    """``encoder`` itself, or a copy with the values of its parametrised weights as parameters."""
    if not any(parametrize.is_parametrized(module) for module in encoder.modules()):
        return encoder
    plain = copy.deepcopy(encoder)
    for module in [*plain.modules()]:
        if parametrize.is_parametrized(module):
            _make_plain(module)
    return plain


def _make_plain(module: nn.Module) -> None:
    """Not by ``remove_parametrizations``: it changes the class, which the original shares."""
    names = list(cast(nn.ModuleDict, module.parametrizations))
    values = {name: getattr(module, name).detach().clone() for name in names}
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value))
