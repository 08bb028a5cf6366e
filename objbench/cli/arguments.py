"""Reading the values of flags; what is wrong with one is said on one line."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from objbench.errors import ConfigError, ObjbenchError, UnknownNameError, guess
from objbench.study.choices import MOST

Value = TypeVar("Value")


def reading(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """``read`` as an argparse type whose one-line error is shown beside the flag's name."""

    def checked(text: str) -> Value:
        try:
            return read(text)
        except (ObjbenchError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """A reader of one of the words ``known``."""

    def read(text: str) -> str:
        if text not in known:
            raise UnknownNameError("value", text, known)
        return text

    return read


def names(text: str) -> tuple[str, ...]:
    """The parts of "a,b"."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


MOST_SEEDS = 1000
"""A larger number of seeds is taken for a seed whose comma is missing."""


def seeds(text: str) -> tuple[int, ...]:
    """The seeds that "3" (0, 1 and 2) or "5,7" (these two) stands for.

    Raises:
        ValueError: it is neither, or a seed is listed twice.
    """
    if not re.fullmatch(r"\d+|(\d+,)+\d*", text):
        raise ValueError(f"{text!r} is neither a number of seeds nor a list such as 0,1,2")
    if "," not in text and int(text) > MOST_SEEDS:
        raise ValueError(
            f"{text} asks for {int(text):,} seeds, and at most {MOST_SEEDS:,} are allowed; for the "
            f"single seed {text} write --seeds {text}, (with the comma)"
        )
    found = tuple(map(int, names(text))) if "," in text else tuple(range(int(text)))
    if not found:
        raise ValueError("at least one seed is needed")
    twice = next((seed for seed in found if found.count(seed) > 1), None) if "," in text else None
    if twice is not None:
        raise ValueError(f"seed {twice} is listed twice")
    return found


def count(text: str, most: int = MOST) -> int:
    """A positive whole number; "8k" and "1_000" are refused.

    Raises:
        ValueError: it is not one, or more than ``most``.
    """
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise ValueError(f"{text!r} is not a positive whole number")
    if int(text) > most:
        raise ValueError(f"{text} is more than {most:,}, the largest that is taken")
    return int(text)


def counts(text: str) -> tuple[int, ...]:
    """The positive whole numbers of "5,10".

    Raises:
        ValueError: one is not a positive whole number, or there is none.
    """
    if not (found := names(text)):
        raise ValueError("at least one number is needed")
    return tuple(count(number) for number in found)


def jobs(text: str) -> int:
    """A number of cells to run at a time; each is a process of its own.

    Raises:
        ValueError: it is not a number from 1 to 1,024.
    """
    return count(text, 1024)


def positive(text: str) -> float:
    """A positive finite number.

    Raises:
        ValueError: it is not one.
    """
    number = re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE)
    if not number or not 0 < float(text) < math.inf:
        raise ValueError(f"{text!r} is not a positive number")
    return float(text)


def path(text: str) -> Path:
    """A path, with "~" as the home folder also where no shell has expanded it (``--out=~/runs``).

    Raises:
        ValueError: it is empty, an address such as s3://BUCKET/RUN, which as a path would be a folder
            called "s3:", or names the home folder of nobody.
    """
    if not text:
        raise ValueError("the path is empty")
    if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE):
        raise ValueError(f"{text!r} is an address; name a path on this machine")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text!r}: there is no such home folder") from error


def label(text: str) -> str:
    """A short name that is shown: one line of at most 200 printable characters.

    Raises:
        ValueError: it is not one.
    """
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise ValueError(f"{text[:40]!r} is not a line of 1 to 200 printable characters")
    return text


def device(text: str) -> str:
    """The name of a torch device; whether the machine has it is not checked.

    Raises:
        ValueError: it does not have the form of one.
    """
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", text):
        raise ValueError(f"{text!r} is not a device: write cpu, cuda, cuda:1, xpu or mps")
    return text


TABLE = ("h100", "h200", "a100", "4090", "cpu")
"""The devices of ``runs/forecast/devices.toml``, known here without reading it."""


def planned_device(text: str) -> str:
    """The name of a device of the table, or of a torch device.

    Raises:
        ValueError: it is neither.
    """
    if text in TABLE or re.fullmatch(r"mps|(cuda|xpu)(:\d+)?", text):
        return text
    raise ValueError(
        f"{text!r} is not a device: write one of {', '.join(TABLE)}, or a torch device that is here, "
        f"such as cuda{guess(text, TABLE)}"
    )


Assignment = tuple[str, str, str]
"""Plugin, option and value of a ``--set``."""


def assignment(text: str) -> Assignment:
    """(plugin, option, value) of "plugin.option=value"; a composition's option is "part.option".

    Raises:
        ValueError: it is not of that form.
    """
    match = re.fullmatch(r"([^.=\s]+)\.([^=\s]+)=(.*)", text, re.DOTALL)
    if match is None:
        raise ValueError(f"{text!r} is not of the form PLUGIN.OPTION=VALUE")
    return match[1], match[2], match[3]


def options_of(assignments: Sequence[Assignment]) -> dict[str, dict[str, Any]]:
    """Plugin -> option -> value, of all ``--set``; "a.b" is option b in a table a.

    Raises:
        ConfigError: one name is given both a value and options.
    """
    options: dict[str, dict[str, Any]] = {}
    for plugin, option, value in assignments:
        table = options.setdefault(plugin, {})
        *parts, last = option.split(".")
        for part in parts:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{plugin}.{option} is given, but {plugin}.{part} has a value")
        table[last] = value
    return options
