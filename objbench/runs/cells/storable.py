"""What a plugin returned is checked before it is stored: JSON types and finite numbers only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from objbench.errors import PluginError
from objbench.results.records import AnyRecord


def require_storable(record: AnyRecord) -> None:
    """Refuse a record that holds what JSON cannot, naming the first place.

    Raises:
        PluginError: a value of it is no JSON type, or a number that is not finite.
    """
    for place, value in _leaves("", record.model_dump(mode="python", warnings=False)):
        fault = _fault(value)
        if fault is not None:
            plugin = record.plugin
            raise PluginError(
                plugin.name,
                f"{plugin.project} {plugin.version}",
                f"returned {place} = {fault}; return finite numbers and JSON types",
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
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(f"{place}[{number}]", item)
    else:
        yield place, value
