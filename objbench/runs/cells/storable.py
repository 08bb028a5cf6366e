"""What a plugin returned is checked before it is stored: JSON types and finite numbers only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from objbench.errors import PluginError
from objbench.results.json_files import fault
from objbench.results.records import Plugin


def require_storable(plugin: Plugin, outcome: Mapping[str, Any]) -> None:
    """Refuse an outcome that holds what JSON cannot, naming the first place.

    Args:
        plugin: whose it is.
        outcome: the fields of a record that depend on what the plugin returned.

    Raises:
        PluginError: a value of it is no JSON type, or a number that is not finite.
    """
    for place, value in _leaves("", outcome):
        wrong = _fault(value)
        if wrong is not None:
            raise PluginError(
                plugin.name,
                f"{plugin.project} {plugin.version}",
                f"returned {place} = {wrong}; return finite numbers and JSON types",
            )


def unlike_a_record(plugin: Plugin, error: ValidationError) -> PluginError:
    """What a plugin returned that is JSON and yet cannot be in a record, such as an accuracy of 75."""
    return PluginError(
        plugin.name,
        f"{plugin.project} {plugin.version}",
        f"returned what cannot be stored: {fault(error)}",
    )


def _fault(value: Any) -> str | None:
    if isinstance(value, float) and type(value) is float:
        return None if math.isfinite(value) else str(value)
    if value is None or type(value) in (bool, int, str):
        return None
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _leaves(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            at = f"{place}.{name}" if place else str(name)
            if not isinstance(name, str):
                yield f"the key {at}", name
            yield from _leaves(at, item)
    elif isinstance(value, BaseModel):
        yield from _leaves(place, value.model_dump(mode="python", warnings=False))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _leaves(
            place, {field.name: getattr(value, field.name) for field in fields(value)}
        )
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(f"{place}[{number}]", item)
    else:
        yield place, value
