"""Plugins on the command line: the one that ``check`` and ``show`` are about, and how all are loaded."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Group, Parser
from objbench.contract.composition import plugins_of
from objbench.errors import ConfigError, WrongKindError
from objbench.plugins.known_plugins import KnownPlugins
from objbench.plugins.loading import load_plugins
from objbench.plugins.registry import Registry


def default_cache() -> Path:
    """The folder for tokenized text and descriptions of plugins when none is named."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "objbench"


def known_plugins() -> KnownPlugins:
    """What is known of the installed plugins without importing any."""
    return KnownPlugins(default_cache() / "plugins")


def load(names: Collection[str] | None = None) -> Registry:
    """Load the plugins that ``names`` are composed of, all when None, and remember their options."""
    registry = load_plugins(only=names)
    known_plugins().remember(registry)
    return registry


def is_suite(name: str) -> bool:
    """Whether ``name`` is a suite's; its plugin is loaded where it has never been."""
    known = known_plugins()
    if name not in known.names:
        return False
    if known.describe(name) is None:
        load({name})
    found = known.describe(name)
    return found is not None and found.kind == "suite"


def add_set_argument(group: Group) -> None:
    """Declare ``--set``."""
    group.add_argument(
        "--set",
        type=read.reading(read.assignment),
        action="append",
        default=[],
        metavar="PLUGIN.OPTION=VALUE",
        help="set an option of a plugin; may be repeated",
    )


def add_plugin_arguments(parser: Parser, what: str, preset: str) -> None:
    """Declare the name, the preset and the options.

    Args:
        what: the name, in the words of the help.
        preset: the preset when none is named.
    """
    parser.add_argument("name", metavar="NAME", help=what)
    parser.add_argument(
        "--preset",
        default=preset,
        metavar="NAME",
        help="preset whose encoder is used (default: %(default)s)",
    )
    add_set_argument(parser)


def check_names(
    names: Sequence[str], assignments: Sequence[read.Assignment], *, any_kind: bool = False
) -> None:
    """Refuse unknown names, and options of plugins other than ``names``.

    Args:
        any_kind: accept suites and terms as well as objectives.

    Raises:
        UnknownNameError, ConfigError: in the words of ``objbench run``.
    """
    known = known_plugins()
    try:
        for name in names:
            known.require("plugin" if any_kind else "objective", name)
    except WrongKindError as error:
        hint = f"; check it as part of one, as in OBJECTIVE+{error.name}"
        raise ConfigError(
            f"{error.name!r} is a {error.found}, not an objective"
            f"{hint if error.found == 'term' else ''}"
        ) from error
    for plugin, option, _ in assignments:
        if plugin not in {*names, *plugins_of(names)}:
            raise ConfigError(
                f"--set {plugin}.{option}: this command is about {' and '.join(names)}; "
                "leave the option out"
            )
    if not any_kind:
        known.check_options(names, (), read.options_of(assignments))
