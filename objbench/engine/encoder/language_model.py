"""An encoder and its token head as the language model that transformers has for the architecture.

An export in that form is read by ``AutoModelForMaskedLM``, or by ``AutoModelForCausalLM`` for a head
that reads from left to right, with the trained head. Which layer of transformers' class plays which
part is found from the kinds of its layers, not from a list of architectures::

    TokenHead                    the class, outside its encoder
    dense W, b                   its linear layer
    norm                         its layer normalisation
    word embeddings E            its decoder, tied to the encoder's embeddings
    c                            what is left: the bias of the decoder

Where a layer has no bias for that of ``norm``, n (ModernBERT), the decoder's takes it over:
(h + n) E^T + c = h E^T + (c + E n). Whether the class computes the same is not decided here, but by
``export_check`` from its logits: it may have an activation of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
)

from objbench.blocks.heads import TokenHead
from objbench.contract.objective import Objective, TokenReading
from objbench.engine.encoder.build import word_embeddings
from objbench.errors import one_line


class NoLanguageModelError(Exception):
    """transformers has no class for an encoder with its head; the text says why, in a few words."""


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The class of transformers with the weights of encoder and head, which it shares with them.

    Attributes:
        places: tensor of ``TokenHead`` -> the parameter of ``model`` that it is.
    """

    model: PreTrainedModel
    places: Mapping[str, str]


def language_model(encoder: PreTrainedModel, objective: Objective) -> LanguageModel:
    """``encoder`` with the token head of ``objective``; draws nothing and copies no weights.

    Raises:
        NoLanguageModelError: the objective has no head that can be exported, or no class fits.
    """
    head = objective.token_head
    if type(head) is not TokenHead:
        raise NoLanguageModelError("its objective has no token head in the form of BERT's")
    kind = _class_of(encoder.config, objective.token_reading)
    config = _with_whole_head(encoder.config, objective.encoder_spec.activation)
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            model = kind(config)
        prefix = model.base_model_prefix
        if type(getattr(model, prefix, None)) is not type(encoder):
            raise NoLanguageModelError(f"{kind.__name__} has another encoder")
        places = head_places(model)
        if not {"dense.weight", "dense.bias", "norm.weight", "bias"} <= set(places):
            raise NoLanguageModelError(f"{kind.__name__} has a head with other weights")
        weights = {f"{prefix}.{name}": tensor for name, tensor in encoder.state_dict().items()}
        weights |= _head_weights(head, places, encoder)
        _, unknown = model.load_state_dict(weights, strict=False, assign=True)
        model.tie_weights()
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise NoLanguageModelError(f"{kind.__name__}: {one_line(error)[:200]}") from error
    empty = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if unknown or empty:
        raise NoLanguageModelError(f"{kind.__name__} has other weights: {[*unknown, *empty][0]}")
    return LanguageModel(model, places)


def _class_of(config: PreTrainedConfig, reading: TokenReading) -> type[PreTrainedModel]:
    masked = reading == TokenReading()
    if not masked and not reading.is_left_to_right:
        raise NoLanguageModelError(
            "no class of transformers predicts a token from the state before it while every token "
            "sees every other"
        )
    classes = MODEL_FOR_MASKED_LM_MAPPING if masked else MODEL_FOR_CAUSAL_LM_MAPPING
    if type(config) not in classes:
        word = "masked" if masked else "causal"
        raise NoLanguageModelError(
            f"transformers has no {word} language model for {config.model_type!r}"
        )
    return cast(type[PreTrainedModel], classes[type(config)])


def _with_whole_head(config: PreTrainedConfig, activation: str) -> PreTrainedConfig:
    """A copy of ``config`` under which the class has a tied head with biases and our activation.

    These fields are of the head alone: the encoder is the same under either.
    """
    whole = copy.deepcopy(config)
    fields = {
        "tie_word_embeddings": True,
        "decoder_bias": True,
        "classifier_bias": True,
        "classifier_activation": activation,
    }
    for name, value in fields.items():
        if isinstance(getattr(whole, name, None), type(value)):
            setattr(whole, name, value)
    return whole


def head_places(model: PreTrainedModel) -> dict[str, str]:
    """Tensor of ``TokenHead`` -> the parameter of ``model`` that plays its part, by name.

    A bias that the head of ``model`` does not have is left out.

    Args:
        model: a language model of transformers, on any device.

    Raises:
        NoLanguageModelError: it has no head in that form.
    """
    inside = f"{model.base_model_prefix}."
    tied = set(model.all_tied_weights_keys)
    names = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    free = {name for name in names - tied if not name.startswith(inside)}
    layers = [(n, layer) for n, layer in model.named_modules() if not f"{n}.".startswith(inside)]
    dense = [n for n, layer in layers if isinstance(layer, nn.Linear) and f"{n}.weight" in free]
    norms = [n for n, layer in layers if isinstance(layer, nn.LayerNorm)]
    if len(dense) != 1 or len(norms) != 1:
        raise NoLanguageModelError(
            f"{type(model).__name__} has no head of one linear layer, an activation and a "
            "normalisation under tied word embeddings"
        )
    parts = (("dense", dense[0]), ("norm", norms[0]))
    places = {
        f"{part}.{kind}": f"{name}.{kind}"
        for part, name in parts
        for kind in ("weight", "bias")
        if f"{name}.{kind}" in free
    }
    rest = sorted(free - set(places.values()))
    if len(rest) > 1 or "norm.weight" not in places:
        raise NoLanguageModelError(f"{type(model).__name__} has a head with other weights")
    return {**places, **({"bias": rest[0]} if rest else {})}


def _head_weights(
    head: TokenHead, places: Mapping[str, str], encoder: PreTrainedModel
) -> dict[str, Tensor]:
    """Parameter of the class -> its value."""
    weights = {name: tensor.detach() for name, tensor in head.state_dict().items()}
    if "norm.bias" not in places:
        words = word_embeddings(encoder).detach()
        weights["bias"] = weights["bias"] + words @ weights.pop("norm.bias")
    return {places[name]: tensor for name, tensor in weights.items()}
