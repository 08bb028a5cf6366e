"""The encoder of a checkpoint, where a study continues from one.

It is transformers' class for the checkpoint's own configuration, with all of its weights: one that
the checkpoint lacks would be drawn at random, so it is refused.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from objbench.contract.encoder_spec import Vocabulary
from objbench.engine.encoder.checkpoint_source import CheckpointSource, read_checkpoint_source
from objbench.engine.encoder.inputs import longest_input
from objbench.engine.encoder.load import pooler_options, quiet_loading
from objbench.errors import CheckpointError, ConfigError, guess
from objbench.study.settings import EncoderSection

ADVICE = "name another checkpoint with --init"


def source_of(section: EncoderSection) -> CheckpointSource:
    """The checkpoint that ``section`` names.

    Raises:
        CheckpointError, HubError: it is gone, or is not the one that the study began with.
    """
    assert section.init is not None
    found = read_checkpoint_source(section.init)
    if found.digest != section.init_digest:
        raise CheckpointError(
            f"checkpoint {section.init} is not the one that the study began with: its SHA-256 is "
            f"{found.digest[:12]}..., not {(section.init_digest or '')[:12]}...; bring that one back, "
            "or begin another study with --name NAME"
        )
    return found


def continued_encoder(
    section: EncoderSection, vocabulary: Vocabulary, length: int
) -> PreTrainedModel:
    """The encoder of the checkpoint, without a pooling layer, on the CPU in float32; draws nothing.

    Under ``torch.device("meta")`` its shapes alone. It reads in both directions, whatever its
    configuration says: an objective that needs another attention asks for it.

    Args:
        section: names the checkpoint.
        vocabulary: its tokenizer's.
        length: T, tokens of a sequence.

    Raises:
        CheckpointError, HubError: it cannot be read, or lacks weights of its encoder.
        ConfigError: it is no text encoder that transformers has itself, or takes fewer tokens.
    """
    source = source_of(section)
    config = _configuration(source)
    words = getattr(config, "vocab_size", 0)
    if words < vocabulary.size:
        raise ConfigError(
            f"checkpoint {source.name} has {words} word embeddings and its tokenizer "
            f"{vocabulary.size} words: they do not belong together"
        )
    if torch.get_default_device().type == "meta":
        encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, trust_remote_code=False, **pooler_options(config)
        )
    else:
        encoder = _loaded(source, config)
    assert isinstance(encoder, PreTrainedModel)
    longest = longest_input(encoder)
    if longest is not None and longest < length:
        raise ConfigError(
            f"checkpoint {source.name} takes at most {longest} tokens, and sequences have {length}: "
            f"use --length {longest}, or less"
        )
    return encoder


def _configuration(source: CheckpointSource) -> PreTrainedConfig:
    name = source.model_type
    if name not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise ConfigError(
            f"checkpoint {source.name} is a {name!r}, which is not a text encoder that transformers "
            f"knows{guess(name, MODEL_FOR_MASKED_LM_MAPPING_NAMES)}; {ADVICE}"
        )
    with quiet_loading(source.folder, ADVICE):
        config: PreTrainedConfig = AutoConfig.from_pretrained(
            str(source.folder), local_files_only=True, trust_remote_code=False
        )
    if config.is_encoder_decoder:
        raise ConfigError(f"checkpoint {source.name} has a decoder too; {ADVICE}")
    if getattr(config, "is_decoder", False):
        config.is_decoder = False
    return config


def _loaded(source: CheckpointSource, config: PreTrainedConfig) -> PreTrainedModel:
    with quiet_loading(source.folder, ADVICE), torch.random.fork_rng(devices=[]):
        found: Any = AutoModel.from_pretrained(
            str(source.folder),
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **pooler_options(config),
        )
    encoder, report = found
    lacking = sorted(str(name) for name in report["missing_keys"])
    if lacking:
        raise CheckpointError(
            f"checkpoint {source.name} lacks {len(lacking)} weights of its encoder, such as "
            f"{lacking[0]}, which would be drawn at random; {ADVICE}"
        )
    assert isinstance(encoder, PreTrainedModel)
    return encoder
