"""``objbench plugins``: the plugins that are installed, and those that are broken and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from objbench.cli.columns import for_terminal
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import load
from objbench.cli.terminal import say

if TYPE_CHECKING:
    from objbench.plugins.registry import Registry

SUMMARY = "List the installed objectives, terms and suites, and the plugins that are broken."
EPILOG = """\
A term joins any objective: --objectives mlm,mlm+TERM. A label tells two sets of options of one
objective apart: --objectives mlm,mlm@LABEL --set mlm@LABEL.mlm.OPTION=VALUE.

OBJBENCH_PLUGINS=a,b loads only the plugins a and b."""


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument("--check", action="store_true", help="exit code 1 if a plugin is broken")
    parser.add_argument(
        "--markdown", action="store_true", help="print a markdown table with papers, for a README"
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the table."""
    registry = load()
    say(plugins_table(registry) if arguments.markdown else _listing(registry))
    if registry.broken:
        say(f"\n{len(registry.broken)} broken:")
        say(for_terminal([(b.name, str(b.origin), b.reason) for b in registry.broken]))
    return 1 if arguments.check and registry.broken else 0


def plugins_table(registry: Registry) -> str:
    """Every plugin with its summary and paper, as a markdown table."""
    from tabulate import tabulate

    rows = [
        (f"`{name}`", kind, cls.summary, _linked(getattr(cls, "reference", "")))
        for kind, name, cls in _plugins(registry)
    ]
    return tabulate(rows, headers=["name", "kind", "what", "source"], tablefmt="github")


def _plugins(registry: Registry) -> Iterator[tuple[str, str, Any]]:
    """(kind, name, class) of every plugin, kind by kind and by name."""
    for kind, classes in registry.by_kind.items():
        for name, cls in classes.items():
            yield kind, name, cls


def _listing(registry: Registry) -> str:
    rows = [
        (name, kind, str(registry.origin(name)), cls.summary)
        for kind, name, cls in _plugins(registry)
    ]
    return for_terminal([("NAME", "KIND", "PROJECT", "SUMMARY"), *rows])


def _linked(reference: str) -> str:
    """A reference, as a markdown link if it ends in ", https://..."."""
    who, _, address = reference.partition(", https://")
    return f"[{who}](https://{address})" if address and " " not in address else reference
