"""The command line's parser: errors on one line with the closest match, and flags of plugins."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from objbench.errors import ConfigError, guess, one_line

Group = argparse.ArgumentParser | argparse._ArgumentGroup
"""What flags are added to."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of exiting."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings
        )
        self._words: list[str] = []

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, with the words kept for its errors."""
        self._words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise argparse's ``message`` as an error that fits on one line.

        What is required is often there under a misspelt name, of which argparse says nothing.

        Raises:
            ConfigError: always.
        """
        flags = (word.partition("=")[0] for word in self._words if word.startswith("--"))
        unknown = next((f for f in flags if f not in ("--", *self._option_string_actions)), "")
        if unknown and "are required" in message:
            message = f"unknown option {unknown!r}{guess(unknown, self.flags())}; {message}"
        raise ConfigError(f"{one_line(message)}; see `{self.prog} --help`")

    def flags(self) -> list[str]:
        """Every long flag of this parser."""
        return [flag for flag in self._option_string_actions if flag.startswith("--")]

    def of_action(self, words: Sequence[str]) -> Parser:
        """The parser of the action among ``words``, as `run` of `objbench track run`; else this one."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                name = next((word for word in words if not word.startswith("-")), "")
                found: Parser = action.choices.get(name, self)
                return found
        return self

    def flag_of(self, setting: str) -> str | None:
        """The flag of what a study file calls ``setting``, such as "--lr" of "learning-rate"."""
        for flag, action in self._option_string_actions.items():
            if action.dest.rpartition(".")[2] == setting.replace("-", "_"):
                return flag
        return None


def wrapped(text: str) -> str:
    """``text`` with its paragraphs wrapped to the terminal; those with indented lines are kept."""
    width = shutil.get_terminal_size().columns - 2
    paragraphs = text.rstrip().split("\n\n")
    return "\n\n".join(p if "\n  " in p else textwrap.fill(p, width) for p in paragraphs)


def refuse(left_over: Sequence[str], parser: Parser, plugins: Collection[str]) -> NoReturn:
    """Raise for arguments that the parser does not know, guessing the flag that was meant.

    Raises:
        ConfigError: always.
    """
    flag = left_over[0].partition("=")[0]
    if not flag.startswith("-"):
        parser.error(f"unexpected argument {flag!r}")
    _, _, option = flag.removeprefix("--").partition("-")
    flags_of_plugins = [f"--{plugin}-{option}" for plugin in plugins if option]
    named = parser.flag_of(flag.removeprefix("--"))
    meant = guess(named or flag, [*parser.flags(), *flags_of_plugins])
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
        target = None if flag in known else option_of(flag, plugins)
        if target is None:
            expanded.append(word)
            continue
        if not has_value:
            value = next(rest, "--")
            if value.startswith("--"):
                raise ConfigError(f"{flag} needs a value: {flag} VALUE")
        expanded += ["--set", f"{target}={value}"]
    return expanded


def as_typed(message: str, words: Sequence[str], plugins: Collection[str]) -> str:
    """``message`` with options named as they were typed: --glue-dir, and not glue.dir.

    Args:
        message: an error's, in which an option is PLUGIN.OPTION, as in a study file.
        words: the arguments of the command; what ``--set`` says stays as it is.
        plugins: the names of all plugins.
    """
    for word in words:
        flag = word.partition("=")[0]
        if option := option_of(flag, plugins):
            whole = rf"(?<![\w./+-]){re.escape(option)}(?![\w/-]|\.\w)"
            message = re.sub(whole, flag.replace("\\", r"\\"), message)
    return message


def option_of(flag: str, plugins: Collection[str]) -> str | None:
    """PLUGIN.OPTION for a plugin's flag; the longest plugin name that fits wins."""
    for plugin in sorted(plugins, key=len, reverse=True):
        for spelling in (plugin, plugin.replace("_", "-")):
            prefix = f"--{spelling}-"
            if flag.startswith(prefix) and len(flag) > len(prefix):
                return f"{plugin}.{flag.removeprefix(prefix).replace('-', '_')}"
    return None
