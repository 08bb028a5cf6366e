"""What an encoder takes beside token ids: how many tokens at most, and token types or none.

transformers' encoders number positions themselves, from 0, from 2 or from the padding id + 1. What
limits the length is the table that they look positions up in; encoders with relative or rotary
positions have none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from objbench.errors import ConfigError, one_line

_TABLES = ("position_embeddings", "embed_positions")


def longest_input(encoder: nn.Module) -> int | None:
    """The most tokens of a sequence, special tokens included; None if positions set no limit.

    Args:
        encoder: a transformers encoder, on any device.
    """
    table = _position_table(encoder)
    if table is None:
        return None
    rows, offset = len(_weight(table)), unused_positions(encoder)
    if offset:
        return rows - offset
    # Nystromformer and its relatives have two rows before the first position.
    configured = getattr(encoder.config, "max_position_embeddings", None)
    return rows if configured is None else min(rows, int(configured))


def unused_positions(encoder: nn.Module) -> int:
    """The number of configured positions that no token has: the padding id + 1 in RoBERTa, or 0."""
    padding = getattr(_position_table(encoder), "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def takes_token_types(encoder: nn.Module) -> bool:
    """Whether the second text of a pair has token type 1, as in BERT.

    Not in RoBERTa and its relatives, known by their positions: none of them was ever trained with
    token types, although the default configuration has two.
    """
    count: Any = getattr(encoder.config, "type_vocab_size", 0)
    known = "token_type_ids" in _arguments(type(encoder).forward)
    return known and (count or 0) > 1 and not unused_positions(encoder)


def require_readable(encoder: nn.Module, length: int) -> None:
    """Refuse an encoder that needs more than token ids, such as X-MOD, which needs a language.

    Args:
        encoder: on torch's "meta" device, so that reading takes no time.
        length: T, tokens of a sequence.

    Raises:
        ConfigError: it says so when it is given token ids alone.
    """
    ids = torch.zeros(1, length, dtype=torch.int64, device="meta")
    try:
        with torch.no_grad():
            encoder(input_ids=ids)
    except (TypeError, ValueError) as error:
        kind = getattr(encoder.config, "model_type", type(encoder).__name__)
        raise ConfigError(
            f"encoder {kind!r} does not read token ids alone ({one_line(error)[:200]}): set what it "
            "needs in [encoder.config], or name another family, such as bert"
        ) from error
    except Exception:  # noqa: BLE001 - of what asks for numbers, which that device has none of
        return


def _position_table(encoder: nn.Module) -> nn.Module | None:
    tables = (
        module
        for name, module in encoder.named_modules()
        if name.rsplit(".", 1)[-1] in _TABLES and hasattr(module, "weight")
    )
    return next(tables, None)


def _weight(table: nn.Module) -> Tensor:
    weight = table.weight
    assert isinstance(weight, Tensor)
    return weight


@cache
def _arguments(forward: Callable[..., object]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)
