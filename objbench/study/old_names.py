"""Settings that have moved: study files, grids and plans with the old names are still read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.errors import ConfigError
from objbench.study.encoder_size import with_size_in_config
from objbench.study.files import Layer, merge

# Options of AdamW that were settings of the training, before there was a choice of optimizers.
_OPTIMIZER = ("weight_decay", "beta1", "beta2", "epsilon")
_MOVED = {f"training.{name}": f"training.optimizer.{name}" for name in _OPTIMIZER}


def with_current_names(layer: Mapping[str, Any]) -> Layer:
    """``layer`` with every setting under its present name, those of grids and overrides included.

    Raises:
        ConfigError: a setting is given under both names, or a size of the encoder is no number.
    """
    current = dict(layer)
    training, tuning, overrides = (layer.get(name) for name in ("training", "tuning", "overrides"))
    if isinstance(layer.get("encoder"), Mapping):
        current["encoder"] = with_size_in_config(layer["encoder"])
    if isinstance(training, Mapping):
        options = {name: training[name] for name in _OPTIMIZER if name in training}
        if options:
            rest = {name: value for name, value in training.items() if name not in options}
            given = rest.get("optimizer", {})
            for name in options:
                if isinstance(given, Mapping) and name in given:
                    raise _given_twice(f"training.{name}")
            current["training"] = merge({"optimizer": options}, rest)
    if isinstance(tuning, Mapping):
        read = {"grid": _places, "objectives": _tables}
        current["tuning"] = {
            name: read[name](value) if name in read else value for name, value in tuning.items()
        }
    if overrides is not None:
        current["overrides"] = _tables(overrides)
    return current


def _tables(tables: Any) -> Any:
    if not isinstance(tables, Mapping):
        return tables
    return {name: _places(table) for name, table in tables.items()}


def _places(table: Any) -> Any:
    """A table by dotted settings, with their present names."""
    if not isinstance(table, Mapping):
        return table
    for place in table:
        if _MOVED.get(place) in table:
            raise _given_twice(place)
    return {_MOVED.get(place, place): value for place, value in table.items()}


def _given_twice(place: str) -> ConfigError:
    return ConfigError(f"{place} is the old name of {_MOVED[place]}: leave one of them out")
