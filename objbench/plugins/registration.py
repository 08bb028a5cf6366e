"""The declarations of a registered class, checked before it enters the registry.

They are checked when the plugin is loaded, not when a declaration is first used, so that an error
names the project at fault and costs no training time.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

NAME = re.compile(r"[a-z][a-z0-9_]*")


def faults(
    cls: object,
    kinds: tuple[type, ...],
    declared: tuple[str, ...],
    options: tuple[str, ...] = (),
) -> list[str]:
    """The reasons why ``cls`` cannot be registered; empty if it can.

    Args:
        cls: the argument with which the plugin called ``register``.
        kinds: base classes, from one of which it must derive.
        declared: class attributes that must be non-empty, one-line strings.
        options: fields that its ``Config`` must have.
    """
    if not isinstance(cls, type) or not issubclass(cls, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        return [f"registers {cls!r}, which is not a subclass of {wanted}"]
    found = _class_faults(cls, declared)
    lacking = [name for name in options if name not in _options(cls)]
    found += [f"has no option {name}" for name in lacking]
    return [f"{cls.__name__} {fault}" for fault in found]


def _class_faults(cls: type, declared: tuple[str, ...]) -> list[str]:
    found = [f"declares no {what}" for what in declared if not _is_line(getattr(cls, what, None))]
    name = getattr(cls, "name", None)
    if _is_line(name) and NAME.fullmatch(str(name)) is None:
        found.append(f"is named {name!r}: use lowercase letters, digits and _")
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    if abstract:
        found.append(f"does not define {', '.join(abstract)}")
    if hasattr(cls, "version") or "version" in _annotations(cls):
        version = getattr(cls, "version", None)
        if not isinstance(version, int) or isinstance(version, bool):
            found.append("declares no integer version")
    return found + _config_faults(getattr(cls, "Config", None))


def _config_faults(config: Any) -> list[str]:
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        return ["has a Config that is not a dataclass"]
    found = []
    # dataclasses has no public way to ask.
    if not config.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        found.append("has a Config that is not frozen")
    bare = [
        field.name
        for field in dataclasses.fields(config)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if bare:
        found.append(f"has options without a default: {', '.join(bare)}")
    return found


def _options(cls: type) -> set[str]:
    config = getattr(cls, "Config", None)
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        return set()
    return {field.name for field in dataclasses.fields(config)}


def _annotations(cls: type) -> set[str]:
    return {name for parent in cls.__mro__ for name in vars(parent).get("__annotations__", {})}


def _is_line(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and "\n" not in value
