"""Options of plugins: from the strings and TOML values of a study to a plugin's ``Config``."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from objbench.errors import ConfigError, UnknownNameError, one_line


def configure(cls: Any, options: Mapping[str, Any]) -> Any:
    """The ``Config`` of a plugin class, with ``options`` in place of its defaults.

    A string is converted to the type of the option ("0.1" to a number, "yes" to a truth value,
    "a,b" to a list, "none" to None if None is allowed), so ``--set`` and TOML mean the same.

    Args:
        cls: class of an objective, term or suite.
        options: option -> value.

    Raises:
        ConfigError: an option is unknown or its value does not fit; names it as plugin.option.
    """
    values = checked(cls.name, options, option_types(cls))
    try:
        return cls.Config(**values)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"options of {cls.name}: {one_line(error)}") from error


def option_types(cls: Any) -> dict[str, Any]:
    """Every option of a plugin class -> its type, in the order declared."""
    hints = typing.get_type_hints(cls.Config, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls.Config) if field.init}


def checked(plugin: str, options: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """``options``, converted to the types that the plugin called ``plugin`` declares.

    Args:
        options: option -> value, as in ``configure``.
        types: every option of the plugin -> its type; ``Any`` leaves a value unchanged.

    Raises:
        ConfigError: an option is unknown or its value does not fit; names it as plugin.option.
    """
    values = {}
    for option, value in options.items():
        if option not in types:
            raise UnknownNameError("option", option, types, where=f"of {plugin}")
        values[option] = _coerced(f"{plugin}.{option}", value, types[option])
    return values


def _coerced(where: str, value: Any, hint: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    adapter: TypeAdapter[Any] = TypeAdapter(
        hint, config=ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True)
    )
    try:
        return adapter.validate_python(_unfolded(value, hint))
    except ValidationError as error:
        reason = one_line(error.errors()[0]["msg"])
        raise ConfigError(f"{where} = {value!r} does not fit: {reason}") from error


def _unfolded(value: Any, hint: Any) -> Any:
    """A string as a list or None if ``hint`` is a list or allows None; otherwise unchanged."""
    if not isinstance(value, str):
        return value
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    kinds = typing.get_args(hint) if union else (hint,)
    if type(None) in kinds and value.lower() == "none":
        return None
    plain = {typing.get_origin(kind) or kind for kind in kinds} - {type(None)}
    if plain and plain <= {tuple, list, set, frozenset}:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value
