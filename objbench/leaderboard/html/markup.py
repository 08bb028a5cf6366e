"""Text, attributes and data as HTML: the only module that writes a tag or escapes a sign.

What strangers wrote, such as a plugin's name for itself, is text here, wherever it is put: ``Html``
is what this module made, and everything else is escaped.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from objbench.errors import printable

_SPACE = re.compile(r"\s+")
_VOID = frozenset({"meta", "link", "input", "br", "img"})
# In a script element a parser looks for "</script" and "<!--" and for nothing else.
_IN_SCRIPT = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Html | None
Attribute = str | int | float | bool | None


def element(tag: str, *children: Child, **attributes: Attribute) -> Html:
    """An element; children that are no ``Html`` are escaped, those that are None left out.

    Args:
        tag: its name, ours.
        children: what is in it.
        attributes: name -> value. A trailing underscore is dropped (``class_``), others become
            hyphens (``data_v``); True gives a name alone, and None and False leave it out.
    """
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_value(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Html:
    """The children one after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escaped(child)
            for child in children
            if child is not None
        )
    )


def escaped(text: str) -> Html:
    """``text`` on one line, with nothing that HTML would act on."""
    return Html(html.escape(printable(_SPACE.sub(" ", text)), quote=True))


def listing(text: str) -> Html:
    """``text`` with its lines, with nothing that HTML would act on."""
    return Html(html.escape(printable(text), quote=True))


def data(name: str, value: Any) -> Html:
    """``value`` as JSON that a script finds by its id and that no browser runs."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    content = Html(text.translate(_IN_SCRIPT))
    return element("script", content, type="application/json", id=name)


def number(value: float, digits: int = 6) -> str:
    """A number for a machine to read, in the fewest signs: "0.25", "1.5e+12"."""
    return f"{value:.{digits}g}"


def slug(text: str) -> str:
    """``text`` as part of an id or of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "table"


def _value(value: str | float) -> str:
    return escaped(value) if isinstance(value, str) else number(value)
