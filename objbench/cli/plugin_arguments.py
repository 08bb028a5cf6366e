"""The one plugin that ``check`` and ``show`` are about, told apart before anything is imported."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.cli import arguments as read
from objbench.contract.composition import plugins_of
from objbench.errors import ConfigError, WrongKindError
from objbench.plugins.registry import entry_point_names, require_known
from objbench.plugins.source_reading.options import check_plugins


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
    names: Sequence[str], assignments: Sequence[read.Assignment], *, any_kind: bool = False
) -> None:
    """Refuse unknown names, and options of others than ``names``.

    Args:
        any_kind: a suite will do as well as an objective.

    Raises:
        UnknownNameError, WrongKindError, ConfigError: in the words of ``objbench run``.
    """
    known = entry_point_names()
    for name in names:
        require_known("plugin" if any_kind else "objective", name, known)
    for plugin, option, _ in assignments:
        if plugin not in {*names, *plugins_of(names)}:
            raise ConfigError(
                f"--set {plugin}.{option}: this is about {' and '.join(names)}; leave it out"
            )
    if not any_kind:
        try:
            check_plugins(names, (), read.options_of(assignments))
        except WrongKindError as error:
            hint = f"; check it as part of one, as in OBJECTIVE+{error.name}"
            raise ConfigError(
                f"{error.name!r} is a {error.found}, and only objectives are checked"
                f"{hint if error.found == 'term' else ''}"
            ) from error
