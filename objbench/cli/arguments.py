"""Reading the command line: one-line errors with the closest match, and plugins' own flags."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

from objbench.errors import ConfigError, ObjbenchError, one_line

Value = TypeVar("Value")

_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from (?P<known>.*)\)")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of exiting, and guesses what was meant."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Raise argparse's ``message`` as an error that fits on one line.

        Raises:
            ConfigError: always.
        """
        choice = _CHOICE.search(message)
        if choice:
            known = re.findall(r"[\w.-]+", choice["known"])
            message = message[: choice.start()] + (
                f"unknown value {choice['given']!r}{guess(choice['given'], known)}"
                f" (known: {', '.join(known)})"
            )
        message = message.replace("argument COMMAND: unknown value", "unknown command")
        raise ConfigError(f"{one_line(message)}; see `{self.prog} --help`")

    def flags(self) -> list[str]:
        """Every long flag of this parser."""
        return [flag for flag in self._option_string_actions if flag.startswith("--")]


def guess(given: str, known: Collection[str]) -> str:
    """What to add to an error about ``given``: the closest of ``known``, or nothing."""
    close = get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def refuse(left_over: Sequence[str], parser: Parser, plugins: Collection[str]) -> NoReturn:
    """Raise for what the parser did not know, guessing the flag that was meant.

    Raises:
        ConfigError: always.
    """
    flag = left_over[0].partition("=")[0]
    if not flag.startswith("-"):
        parser.error(f"unexpected argument {flag!r}")
    _, _, option = flag.removeprefix("--").partition("-")
    flags_of_plugins = [f"--{plugin}-{option}" for plugin in plugins if option]
    meant = guess(flag, [*parser.flags(), *flags_of_plugins])
    parser.error(f"unknown option {flag!r}{meant}")


def expand_plugin_flags(
    words: Sequence[str], known: Collection[str], plugins: Collection[str]
) -> list[str]:
    """``words`` with every ``--PLUGIN-OPTION VALUE`` written as ``--set PLUGIN.OPTION=VALUE``.

    Args:
        words: the arguments of a subcommand.
        known: the flags of the subcommand itself, which win.
        plugins: the names of all plugins.

    Raises:
        ConfigError: such a flag has no value.
    """
    expanded: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, has_value, value = word.partition("=")
        target = None if flag in known else _target(flag, plugins)
        if target is None:
            expanded.append(word)
            continue
        if not has_value:
            value = next(rest, "--")
            if value.startswith("--"):
                raise ConfigError(f"{flag} needs a value: {flag} VALUE")
        expanded += ["--set", f"{target}={value}"]
    return expanded


def _target(flag: str, plugins: Collection[str]) -> str | None:
    """PLUGIN.OPTION for a plugin's flag; the longest plugin name that fits wins."""
    for plugin in sorted(plugins, key=len, reverse=True):
        for spelling in (plugin, plugin.replace("_", "-")):
            prefix = f"--{spelling}-"
            if flag.startswith(prefix) and len(flag) > len(prefix):
                return f"{plugin}.{flag.removeprefix(prefix).replace('-', '_')}"
    return None


def reading(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """``read`` as an argparse type: its one-line error is shown beside the flag's name."""

    def checked(text: str) -> Value:
        try:
            return read(text)
        except (ObjbenchError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def names(text: str) -> tuple[str, ...]:
    """The parts of "a,b"."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def seeds(text: str) -> tuple[int, ...]:
    """The seeds meant by "3" (that many: 0, 1, 2) or "5,7" (these).

    Raises:
        ValueError: it is neither.
    """
    if not re.fullmatch(r"\d+|(\d+,)+\d*", text):
        raise ValueError(f"{text!r} is neither a number of seeds nor a list such as 0,1,2")
    found = tuple(map(int, names(text))) if "," in text else tuple(range(int(text)))
    if not found:
        raise ValueError("at least one seed is needed")
    return found


def count(text: str) -> int:
    """A whole number from 1 on; "8k" and "1_000" are not read.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise ValueError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def positive(text: str) -> float:
    """A positive finite number.

    Raises:
        ValueError: it is none.
    """
    number = re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE)
    if not number or not 0 < float(text) < math.inf:
        raise ValueError(f"{text!r} is not a positive number")
    return float(text)


def device(text: str) -> str:
    """The name of a torch device, in form only.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d+)?", text):
        raise ValueError(f"{text!r} is not a device: write cpu, cuda, cuda:1, xpu or mps")
    return text


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
    """Plugin -> option -> value of the ``--set`` given; "a.b" is option b in a table a.

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
                raise ConfigError(f"--set {plugin}.{option}: {plugin}.{part} is given a value too")
        table[last] = value
    return options
