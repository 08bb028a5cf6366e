"""Options reach a plugin's Config with the type it declares, or are refused by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from objbench.contract.options import configure
from objbench.errors import ConfigError


class Plugin:
    name = "plug"

    @dataclass(frozen=True, kw_only=True)
    class Config:
        rate: float = 0.5
        count: int = 3
        fast: bool = False
        mode: Literal["all", "some"] = "all"
        folder: Path | None = None
        tasks: tuple[str, ...] = ()

        def __post_init__(self):
            if self.rate > 1:
                raise ValueError("rate must be at most 1")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("rate", "0.25", 0.25),
        ("rate", 1, 1.0),
        ("count", "7", 7),
        ("fast", "true", True),
        ("fast", "no", False),
        ("mode", "some", "some"),
        ("folder", "a/b", Path("a/b")),
        ("folder", "none", None),
        ("tasks", "cola, rte", ("cola", "rte")),
        ("tasks", ["cola"], ("cola",)),
    ],
)
def test_strings_and_toml_values_take_the_declared_type(option, value, expected):
    found = getattr(configure(Plugin, {option: value}), option)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rat": 1}, "unknown option 'rat' of plug; did you mean 'rate'"),
        ({"rate": "much"}, "plug.rate = 'much' does not fit"),
        ({"rate": "nan"}, "plug.rate = 'nan' does not fit"),
        ({"count": "2.5"}, "plug.count = '2.5' does not fit"),
        ({"mode": "none"}, "plug.mode = 'none' does not fit"),
        ({"rate": "2"}, "options of plug: rate must be at most 1"),
    ],
)
def test_what_does_not_fit_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        configure(Plugin, options)


def test_without_options_the_defaults_stand():
    assert configure(Plugin, {}) == Plugin.Config()
