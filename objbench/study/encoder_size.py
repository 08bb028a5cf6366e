"""The size of an encoder in words that every family of models shares: width, layers and heads.

A study may give them in its ``[encoder]`` table, or as ``--width``, ``--layers`` and ``--heads``.
They are stored as the fields of the configuration that most families have ("hidden_size",
"num_hidden_layers", "num_attention_heads"); the engine finds a family's own names. What is called
differently but means the same replaces one another where layers of a study are merged, and the
size is all that is kept of a configuration when a later layer names another model type.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

from objbench.errors import ConfigError

MODEL_TYPE = "bert"
"""The model type of a study that names none."""

INNER = "intermediate_size"
"""The width of the feed-forward layers, four times that of the encoder where nothing is said."""

OWN_NAMES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("dim", "emb_dim", "d_model"),
    "num_hidden_layers": ("n_layers",),
    "num_attention_heads": ("n_heads", "n_head"),
    INNER: ("hidden_dim", "d_inner"),
}
"""The fields of a configuration that make its size -> what some families call them instead."""

MOST: Mapping[str, int] = {
    "hidden_size": 10**6,
    "num_hidden_layers": 1000,
    "num_attention_heads": 10**6,
    INNER: 10**7,
}
"""More are a slip. Of layers the modules alone, without their weights, would fill memory, as would the
list of what each is (``layer_types``)."""

_LAYERS, _KINDS = "num_hidden_layers", "layer_types"

_SHORT = {"width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"}
_MEANING = {own: name for name, owns in OWN_NAMES.items() for own in owns}


def with_size_in_config(encoder: Mapping[str, Any]) -> dict[str, Any]:
    """An ``[encoder]`` table with its ``width``, ``layers`` and ``heads`` moved to its ``config``.

    Every layer of a study comes through here before anything is made of it, so here its size is
    checked, however it is written.

    Raises:
        ConfigError: one, or a size in ``config``, is no positive whole number or more than ``MOST``,
            or ``config`` gives it too.
    """
    given = {short: encoder[short] for short in _SHORT if short in encoder}
    config = encoder.get("config", {})
    if isinstance(config, Mapping):
        require_size(config)
    if not given:
        return dict(encoder)
    rest = {name: value for name, value in encoder.items() if name not in given}
    if not isinstance(config, Mapping):
        return rest  # refused by the study's own check
    size: dict[str, Any] = {}
    for short, value in given.items():
        _require_size(short, value, MOST[_SHORT[short]])
        for name in config:
            if _MEANING.get(name, name) == _SHORT[short]:
                raise ConfigError(
                    f"encoder.{short} and encoder.config.{name} are the same: leave one of them out"
                )
        size[_SHORT[short]] = value
    if "width" in given and INNER not in {_MEANING.get(name, name) for name in config}:
        size[INNER] = 4 * given["width"]
    return {**rest, "config": {**size, **config}}


def require_size(config: Mapping[str, Any]) -> None:
    """Refuse a size that no encoder has, before a configuration is made of it.

    Args:
        config: fields of a configuration, under any family's names.

    Raises:
        ConfigError: a size is no positive whole number, or more than ``MOST``.
    """
    for name, value in config.items():
        if (meaning := _MEANING.get(name, name)) in MOST:
            _require_size(f"config.{name}", value, MOST[meaning])


def _require_size(place: str, value: Any, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"encoder.{place} = {value!r} is not a positive whole number")
    if value > most:
        raise ConfigError(f"encoder.{place} = {value:,} is too large: at most {most:,}")


def left_of_config(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """What of the ``config`` of one ``[encoder]`` table still holds under a later one.

    Of another family's only the size does. Nothing does that the later table gives by another name.
    A list of what each layer is (``layer_types``) goes on in its order where the later table gives
    another number of layers.

    Args:
        below, above: the tables, as ``with_size_in_config`` gives them.
    """
    old, new = below.get("config", {}), above.get("config", {})
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return {}
    kind = below.get("model_type", MODEL_TYPE)
    if above.get("model_type", kind) != kind:
        old = {_MEANING.get(name, name): value for name, value in old.items()}
        old = {name: value for name, value in old.items() if name in OWN_NAMES}
    given = {_MEANING.get(name, name): name for name in new}
    left = {
        name: value
        for name, value in old.items()
        if given.get(_MEANING.get(name, name), name) == name
    }
    count, kinds = new.get(given.get(_LAYERS, _LAYERS)), left.get(_KINDS)
    if type(count) is int and isinstance(kinds, list) and kinds:
        left[_KINDS] = list(islice(cycle(kinds), count))
    return left
