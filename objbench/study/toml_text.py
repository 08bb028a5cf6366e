"""A study as the text of a study file that gives the same study back.

``tomllib`` reads TOML and does not write it. What is written here is what a study holds: strings,
numbers, truth values, dates, lists of them, and tables. There is no null in TOML, and none is needed:
a setting that is None is left out, which means the same.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any

from objbench.study.study import Study

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {'"': '\\"', "\\": "\\\\"}


def study_toml(study: Study) -> str:
    """Every setting of ``study``, defaults included, as TOML.

    Read with ``files.file_layer`` and built with ``study.build_study`` it is equal to ``study``, unless
    the preset that it names gives a value to a setting that is None here.
    """
    return settings_toml(study.model_dump())


def settings_toml(settings: Mapping[str, Any]) -> str:
    """A tree of settings as TOML: plain values first, then a table each for the others."""
    return "\n".join(_lines(settings, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    shown = [f"{_key(key)} = {_value(value)}" for key, value in plain.items() if value is not None]
    if place and (shown or not table):
        yield ""
        yield f"[{'.'.join(map(_key, place))}]"
    yield from shown
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*place, key))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return f"[{', '.join(map(_value, value))}]"


def _text(text: str) -> str:
    """A basic string; what a terminal of another encoding could not show is escaped."""
    return f'"{"".join(map(_sign, text))}"'


def _sign(sign: str) -> str:
    if sign in _SHORT:
        return _SHORT[sign]
    return sign if " " <= sign <= "~" else f"\\U{ord(sign):08x}"
