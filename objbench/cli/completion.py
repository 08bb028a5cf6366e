"""Completion of words in bash, zsh and fish, by argcomplete: commands, flags, and the names they take.

The shell calls ``objbench`` itself for every completion, with ``_ARGCOMPLETE`` in the environment, so
nothing heavy is imported: names and options are those that are known of the installed plugins.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import known_plugins
from objbench.plugins.known_plugins import KnownPlugins
from objbench.study.files import presets

ASKED = "_ARGCOMPLETE"
"""The variable by which a shell asks for completions."""

_OF_A_STUDY = ("run", "plan")
_KINDS = {"study.objectives": "objective", "study.evaluation.suites": "suite"}


def complete(parser: Parser, commands: Mapping[str, Parser], **settings: Any) -> None:
    """Answer the shell and end the process.

    Args:
        parser: of the whole command line.
        commands: the parser of each subcommand.
        settings: of ``argcomplete.autocomplete``.

    Raises:
        ImportError: argcomplete is not installed.
    """
    import argcomplete

    known = known_plugins()
    for name, command in commands.items():
        if name in _OF_A_STUDY:
            _add_flags_of_plugins(command, known)
        for action in _actions(command):
            if names := _names_for(name, action, known):
                # argcomplete asks each action for this.
                action.completer = names  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False, **settings)


def _actions(command: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    """The arguments of a command, and of what it can be told to do, as `objbench track run`."""
    for action in command._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)


def _names_for(
    command: str, action: argparse.Action, known: KnownPlugins
) -> Callable[..., Iterable[str]] | None:
    """What completes the value of a flag; None for a path, which the shell knows."""
    if action.dest in _KINDS:
        return lambda prefix, **_: _listed(prefix, _of_kind(known, _KINDS[action.dest]))
    if action.dest == "preset":
        return lambda **_: presets()
    if action.dest == "of_track":
        from objbench.judge.track.track import track_names

        return lambda **_: track_names()
    if action.dest == "format":
        from objbench.cli import compare, leaderboard

        formats = compare.TABLES if command == "compare" else leaderboard.FORMATS
        return lambda prefix, **_: _listed(prefix, formats)
    if action.dest == "set":
        return lambda **_: [f"{name}.{option}=" for name, option in _options(known)]
    if action.dest == "against":
        return lambda **_: _of_kind(known, "objective")
    if action.dest == "name" and command in ("show", "check"):
        own = ("objective",) if command == "check" else ()
        return lambda **_: [*_of_kind(known, *own), *(() if own else presets())]
    choices = str(action.metavar or "")
    if choices.startswith("{"):
        return lambda **_: choices.strip("{}").split(",")
    return None


def _listed(prefix: str, names: Iterable[str]) -> list[str]:
    """The names that may come after the last comma of ``prefix``, each with what is before it."""
    before, comma, _ = prefix.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name not in before.split(",")]


def _of_kind(known: KnownPlugins, kind: str = "") -> list[str]:
    """The plugins of a kind, or of all; one of which the kind is not known counts for each."""
    described = {name: known.describe(name) for name in known.names}
    return [name for name, own in described.items() if not kind or own is None or own.kind == kind]


def _options(known: KnownPlugins) -> list[tuple[str, str]]:
    """(plugin, option) of every option that is known."""
    described = ((name, known.describe(name)) for name in known.names)
    return [(name, option) for name, own in described if own for option in own.options]


def _add_flags_of_plugins(parser: Parser, known: KnownPlugins) -> None:
    """Declare ``--PLUGIN-OPTION``, which the parser expands from ``--set`` when it parses."""
    for name, option in _options(known):
        flag = f"--{name}-{option}".replace("_", "-")
        if flag not in parser.flags():
            parser.add_argument(flag, dest=f"plugin.{name}.{option}")
