"""Layers of a study: presets and study files, and how one layer overrides another.

They are read here without checks and without pydantic, so that a misspelt preset or a broken file
is reported at once; only the whole study is checked, by ``study.build_study``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from objbench.errors import ConfigError, UnknownNameError, one_line
from objbench.study.encoder_size import left_of_config, with_size_in_config

Layer = dict[str, Any]


def presets() -> tuple[str, ...]:
    """The names of the presets that ship with objbench."""
    files = resources.files("objbench.study").joinpath("presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def preset_layer(name: str) -> Layer:
    """The preset called ``name``.

    Raises:
        UnknownNameError: there is no preset of that name.
    """
    if name not in presets():
        raise UnknownNameError("preset", name, presets())
    text = resources.files("objbench.study").joinpath("presets", f"{name}.toml").read_text("utf-8")
    return {**tomllib.loads(text), "preset": name}


def file_layer(path: Path) -> Layer:
    """The study file at ``path``; it may name a ``preset`` to start from.

    Raises:
        ConfigError: the file is missing or is not TOML.
        UnknownNameError: there is no preset of that name.
    """
    layer = own_layer(path)
    base = preset_layer(str(layer["preset"])) if "preset" in layer else {}
    return merge(base, layer)


def own_layer(path: Path) -> Layer:
    """What the study file at ``path`` says itself, without the preset that it may name.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # Windows writes a mark
    except OSError as error:
        raise ConfigError(f"study file {path}: {error.strerror}; name a TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"study file {path} is not UTF-8 (at byte {error.start}): save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"study file {path} is nested too deeply: flatten it") from error
    except ValueError as error:  # also of numbers with more digits than Python converts
        raise ConfigError(f"study file {path} is not TOML: {one_line(error)}") from error


def setting_layer(place: str, value: Any) -> Layer:
    """The layer that sets one value by its dotted place, such as "training.learning_rate"."""
    for part in reversed(place.split(".")):
        value = {part: value}
    layer: Layer = value
    return layer


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Layer:
    """``below`` overridden by ``above``: tables are merged, other values replaced.

    The settings of one encoder or optimizer do not carry over to another: where ``above`` names
    another model type, only the size of the encoder is left of ``below``; see ``encoder_size``.
    """
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged_table(key, under, value)
        else:
            merged[key] = value
    return merged


def _merged_table(key: str, below: Mapping[str, Any], above: Mapping[str, Any]) -> Layer:
    if key == "encoder":
        below, above = with_size_in_config(below), with_size_in_config(above)
        below = {**below, "config": left_of_config(below, above)}
    if key == "optimizer" and above.get("name", below.get("name")) != below.get("name"):
        below = {}
    return merge(below, above)
