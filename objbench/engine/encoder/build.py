"""Building and describing the encoder: any text encoder of Hugging Face.

The initial weights have their own random stream, so every objective at one seed starts from the
same encoder. They are drawn on the CPU, whatever the device, so the device does not change them.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from objbench.contract.composition import ObjectiveClass
from objbench.contract.encoder_spec import EncoderSpec, Vocabulary
from objbench.contract.objective import Objective
from objbench.contract.random_streams import stream_key
from objbench.engine.encoder.computable_settings import misfit, require_even_heads, require_signs
from objbench.engine.encoder.continued import continued_encoder
from objbench.engine.encoder.inputs import longest_input, unused_positions
from objbench.engine.encoder.load import pooler_options
from objbench.errors import ConfigError, guess
from objbench.study.encoder_size import INNER, OWN_NAMES, require_size
from objbench.study.settings import EncoderSection

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# Set from the tokenizer and the sequence length, never by the user.
_OURS = {"vocab_size", "pad_token_id", "cls_token_id", "sep_token_id", "mask_token_id"}


@contextmanager
def seeded_initialisation(seed: int, stream: str) -> Iterator[None]:
    """Seed the global CPU generator from a stream, and restore it afterwards.

    Modules initialise themselves from the global generator; only here is it seeded for them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(stream_key(seed, stream))
        yield


def build_encoder(
    section: EncoderSection, vocabulary: Vocabulary, length: int, seed: int
) -> PreTrainedModel:
    """An encoder at its first step, without a pooling layer, on the CPU in float32.

    Freshly initialised, or that of the checkpoint that the study continues from. Vocabulary size and
    special tokens of a fresh one are the tokenizer's; it has at least ``length`` positions, and at
    least as many as configured.

    Args:
        section: model type and the fields of its configuration, or a checkpoint.
        length: T, tokens of a sequence.
        seed: the pretraining seed; fresh weights are a function of (seed, "init.encoder").

    Raises:
        ConfigError: an unknown model type or field, or a value the model refuses.
        CheckpointError, HubError: the checkpoint cannot be read.
    """
    if section.init is not None:
        return continued_encoder(section, vocabulary, length)
    config = _configuration(section, vocabulary)
    _at_least_positions(config, length)
    encoder = _initialised(section, config, seed)
    longest = longest_input(encoder)
    if longest is not None and longest < length:
        # RoBERTa and its relatives number positions from pad + 1, so their table is that much longer.
        _at_least_positions(config, length + unused_positions(encoder))
        encoder = _initialised(section, config, seed)
    return encoder


def build_objective(
    kind: ObjectiveClass, config: Any, encoder_spec: EncoderSpec, seed: int
) -> Objective:
    """The objective ``kind``, its heads initialised from the stream (seed, "init.heads")."""
    with seeded_initialisation(seed, "init.heads"):
        return kind(config, encoder_spec)


def word_embeddings(encoder: PreTrainedModel) -> Tensor:
    """(V, E), the encoder's input embedding matrix itself, not a copy."""
    return cast(nn.Embedding, encoder.get_input_embeddings()).weight


def encoder_spec_of(encoder: PreTrainedModel, vocabulary: Vocabulary) -> EncoderSpec:
    """The ``EncoderSpec`` of ``encoder``; names of fields differ between model types."""
    config = encoder.config

    def first(names: tuple[str, ...], default: Any) -> Any:
        return next((getattr(config, name) for name in names if hasattr(config, name)), default)

    return EncoderSpec(
        width=int(config.hidden_size),
        embedding_width=word_embeddings(encoder).shape[1],
        activation=str(first(("hidden_act", "hidden_activation", "activation"), "gelu")),
        norm_epsilon=float(first(("layer_norm_eps", "norm_eps"), 1e-12)),
        initializer_range=float(first(("initializer_range",), 0.02)),
        vocabulary=vocabulary,
        encoder_config=config.to_dict(),
    )


def _configuration(section: EncoderSection, vocabulary: Vocabulary) -> PreTrainedConfig:
    name = section.model_type
    if name not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ConfigError(
            f"encoder.model_type = {name!r} is not a text encoder that transformers knows"
            f"{guess(name, MODEL_FOR_MASKED_LM_MAPPING_NAMES)}; name one such as 'bert'"
        )
    plain = AutoConfig.for_model(name)
    if plain.is_encoder_decoder:
        raise ConfigError(
            f"encoder.model_type = {name!r} has a decoder too; name an encoder such as 'bert'"
        )
    known = {*plain.to_dict(), *plain.attribute_map, *inspect.signature(type(plain)).parameters}
    require_size(section.config)
    given = _in_own_names(section, known)
    for field in given:
        if field in _OURS:
            raise ConfigError(
                f"encoder.config.{field} is set from the tokenizer; leave it out of the study"
            )
        if field not in known:
            raise ConfigError(
                f"encoder.config.{field} is not a setting of {name!r}{guess(field, known)}"
            )
    require_signs(given, plain)
    ours = {
        "vocab_size": vocabulary.size,
        "pad_token_id": vocabulary.pad,
        "cls_token_id": vocabulary.cls,
        "sep_token_id": vocabulary.sep,
        "mask_token_id": vocabulary.mask,
        "bos_token_id": vocabulary.cls,
        "eos_token_id": vocabulary.sep,
    }
    fields = {key: value for key, value in ours.items() if key in known}
    try:
        config: PreTrainedConfig = AutoConfig.for_model(name, **{**fields, **given})
    except Exception as error:  # transformers checks fields with errors of several libraries
        raise misfit(section, error) from error
    return config


def _in_own_names(section: EncoderSection, known: Collection[str]) -> dict[str, Any]:
    """The configuration with its size under the family's own names.

    transformers translates the names of most families itself, the width of the feed-forward layers
    not among them.
    """
    given = dict(section.config)
    if INNER in given and INNER not in known:
        own = next((name for name in OWN_NAMES[INNER] if name in known), None)
        inner = given.pop(INNER)
        if own is not None:
            given[own] = inner
        elif inner != 4 * given.get("hidden_size", 0):
            # XLM and its relatives are always four times as wide there.
            given[INNER] = inner
    if section.model_type == "fnet":
        given.pop("num_attention_heads", None)  # it has Fourier transforms in place of attention
    if section.model_type == "squeezebert" and "hidden_size" in given:
        given.setdefault("embedding_size", given["hidden_size"])
    return given


def _at_least_positions(config: PreTrainedConfig, count: int) -> None:
    configured = getattr(config, "max_position_embeddings", None)
    if configured is not None and 0 < configured < count:
        config.max_position_embeddings = count


def _initialised(section: EncoderSection, config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    try:
        with seeded_initialisation(seed, "init.encoder"):
            encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
                config, trust_remote_code=False, **pooler_options(config)
            )
    except (ValueError, TypeError, KeyError, RuntimeError, ZeroDivisionError) as error:
        raise misfit(section, error) from error
    assert isinstance(encoder, PreTrainedModel)
    require_even_heads(encoder)
    return encoder
