"""Settings that transformers takes without a word and that no encoder is meant to be computed with.

What it refuses itself, and sizes (see ``study.encoder_size``), are refused elsewhere. These would show
only in a step, as a loss that is not finite or as an error that names no setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from transformers import PreTrainedConfig, PreTrainedModel

from objbench.errors import ConfigError, one_line
from objbench.study.settings import EncoderSection


def require_signs(given: Mapping[str, Any], plain: PreTrainedConfig) -> None:
    """Refuse a negative number where the family's own value is positive, such as ``norm_eps``.

    Args:
        given: fields of a configuration.
        plain: the family's configuration as transformers makes it.

    Raises:
        ConfigError: a field is negative.
    """
    for field, value in given.items():
        default = getattr(plain, field, None)
        if _is_number(value) and _is_number(default) and value < 0 < default:
            raise ConfigError(
                f"encoder.config.{field} = {value!r} is negative; transformers' own value is {default!r}"
            )


def require_even_heads(encoder: PreTrainedModel) -> None:
    """Refuse heads of an odd width under rotary positions, which turn pairs of numbers.

    Raises:
        ConfigError: they have one.
    """
    if not any("Rotary" in type(module).__name__ for module in encoder.modules()):
        return
    heads = int(encoder.config.num_attention_heads)
    width = getattr(encoder.config, "head_dim", None) or encoder.config.hidden_size // heads
    if width % 2:
        raise ConfigError(
            f"encoder.heads = {heads:,}: each is {width:,} wide, and rotary positions turn pairs of "
            "numbers; choose a width that is an even multiple of the heads"
        )


def misfit(section: EncoderSection, error: Exception) -> ConfigError:
    """What transformers says of an encoder that it does not make, with the setting that it speaks of.

    An activation that it does not know is no more than ``KeyError('gelo')`` there, so a setting is named
    whose text is in the message.

    Args:
        section: the encoder's.
        error: what came of it.
    """
    said = one_line(error)
    named = [
        f" (encoder.config.{field} = {value!r})"
        for field, value in section.config.items()
        if isinstance(value, str) and repr(value) in said and field not in said
    ]
    return ConfigError(
        f"encoder.config does not fit {section.model_type!r}: {said}{''.join(named)}"
    )


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
