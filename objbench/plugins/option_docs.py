"""The options of a plugin with type, default and meaning, read from its ``Config``.

The meaning of an option is its entry in the ``Attributes:`` section of the docstring of the
``Config`` or of a class that the ``Config`` derives from.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any

from objbench.errors import one_line

_ENTRY = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?:\([^)]*\))?:\s+(.*)", re.DOTALL)
_SECTION = re.compile(r"[A-Z]\w*:")


@dataclasses.dataclass(frozen=True, slots=True)
class PluginOption:
    """One option of a plugin.

    Attributes:
        type: as written in Python, such as "float" or "'all' | 'masked'".
        default: as written in Python.
        meaning: its entry in the docstring; "" if there is none.
    """

    name: str
    type: str
    default: str
    meaning: str


def plugin_options(config: type[Any]) -> tuple[PluginOption, ...]:
    """The options of a ``Config``, in the order declared.

    Args:
        config: a dataclass whose every field has a default.
    """
    hints = typing.get_type_hints(config)
    meanings: dict[str, str] = {}
    for parent in reversed(config.__mro__):
        meanings |= attribute_meanings(vars(parent).get("__doc__") or "")
    defaults = config()
    return tuple(
        PluginOption(
            name=field.name,
            type=_type_text(hints[field.name]),
            default=repr(getattr(defaults, field.name)),
            meaning=meanings.get(field.name, ""),
        )
        for field in dataclasses.fields(config)
        if field.init
    )


def attribute_meanings(docstring: str) -> dict[str, str]:
    """The entries of the ``Attributes:`` section of a Google docstring, by name.

    "a, b: text" is an entry for both; lines that are indented further continue an entry.
    """
    lines = inspect.cleandoc(docstring).splitlines()
    try:
        start = lines.index("Attributes:") + 1
    except ValueError:
        return {}
    entries: list[str] = []
    for line in lines[start:]:
        if line.strip() and not line.startswith(" "):
            if _SECTION.match(line):
                break
            continue
        deep = len(line) - len(line.lstrip()) > 4
        if deep and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    meanings = {}
    for entry in entries:
        match = _ENTRY.match(entry)
        if match:
            for name in match[1].split(","):
                meanings[name.strip()] = one_line(match[2])
    return meanings


def _type_text(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " | ".join(map(repr, typing.get_args(hint)))
    return hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
