"""The one plugin that ``check`` and ``show`` are about, told apart before anything is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from objbench import arguments as read
from objbench.errors import ConfigError, UnknownNameError, WrongKindError
from objbench.plugins import HINT, entry_point_names
from objbench.static_options import check_plugins

Assignment = tuple[str, str, str]


def add_plugin_arguments(parser: read.Parser, what: str, preset: str) -> None:
    """Declare the name, the preset and the options.

    Args:
        what: the name, in the words of the help.
        preset: the preset when none is named.
    """
    parser.add_argument("name", metavar="NAME", help=what)
    parser.add_argument(
        "--preset", default=preset, metavar="NAME", help="whose encoder is taken (%(default)s)"
    )
    parser.add_argument(
        "--set",
        type=read.reading(read.assignment),
        action="append",
        default=[],
        metavar="PLUGIN.OPTION=VALUE",
        help="an option of the plugin; may be repeated",
    )


def check_names(
    names: Sequence[str], assignments: Sequence[Assignment], *, any_kind: bool = False
) -> None:
    """Refuse unknown names, and options of others than ``names``.

    Args:
        any_kind: a suite will do as well as an objective.

    Raises:
        UnknownNameError, WrongKindError, ConfigError: in the words of ``objbench run``.
    """
    known = entry_point_names()
    for name in names:
        if name not in known:
            raise UnknownNameError("plugin" if any_kind else "objective", name, known, HINT)
    for plugin, option, _ in assignments:
        if plugin not in names:
            raise ConfigError(
                f"--set {plugin}.{option}: this is about {' and '.join(names)}; leave it out"
            )
    if not any_kind:
        try:
            check_plugins(names, (), options_of(assignments))
        except WrongKindError as error:
            name = str(error).split("'")[1]
            raise ConfigError(f"{name!r} is a suite, and only objectives are checked") from error


def options_of(assignments: Sequence[Assignment]) -> dict[str, dict[str, Any]]:
    """Plugin -> option -> value of the ``--set`` given."""
    options: dict[str, dict[str, Any]] = {}
    for plugin, option, value in assignments:
        options.setdefault(plugin, {})[option] = value
    return options
