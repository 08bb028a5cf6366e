"""The smallest values of a suite's whole-number options."""

from __future__ import annotations

from typing import Any

from objbench.errors import ConfigError


def require_at_least(suite: str, config: Any, **least: int) -> None:
    """Refuse a value below its minimum.

    Args:
        suite: its name, for the message.
        config: the suite's options.
        least: option -> its smallest value.

    Raises:
        ConfigError: an option is smaller.
    """
    for option, smallest in least.items():
        value = getattr(config, option)
        if value < smallest:
            raise ConfigError(f"{suite}.{option} = {value}: give at least {smallest}")
