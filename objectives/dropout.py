"""The fields of a Hugging Face configuration that hold an encoder's rates of dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEADS = ("classifier", "pooler", "qa", "seq_classif", "summary")
"""Prefixes of the names of rates that belong to heads for fine-tuning."""


def dropout_fields(encoder_config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the fields with the rate of a dropout inside the encoder, whatever the rate.

    By transformers' convention each has "dropout" in its name: ``hidden_dropout_prob`` and
    ``attention_probs_dropout_prob`` of BERT's relatives, ``dropout`` and ``attention_dropout`` of
    DistilBERT's, ``embedding_dropout`` and ``mlp_dropout`` of ModernBERT's.
    """
    return tuple(
        name
        for name, rate in encoder_config.items()
        if "dropout" in name and not name.startswith(_HEADS) and isinstance(rate, int | float)
    )


def drops(encoder_config: Mapping[str, Any]) -> bool:
    """Whether the encoder has any dropout at all."""
    return any(encoder_config[name] > 0 for name in dropout_fields(encoder_config))
