"""``objbench plugins``: what is installed, and what is broken and why."""

from __future__ import annotations

import argparse
from typing import Any

from objbench.arguments import Parser

SUMMARY = "List the installed objectives and suites, and the plugins that are broken."
EPILOG = "OBJBENCH_PLUGINS=a,b limits loading to the plugins named."


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument("--check", action="store_true", help="exit code 1 if a plugin is broken")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the table; see ``SUMMARY``."""
    from objbench.plugins import Registry, load_plugins

    registry = load_plugins()

    def row(kind: str, name: str, cls: Any) -> tuple[str, ...]:
        return name, kind, str(registry.origin(name)), cls.summary

    def table(loaded: Registry) -> str:
        rows = [row("objective", *item) for item in loaded.objectives.items()]
        rows += [row("term", *item) for item in loaded.terms.items()]
        rows += [row("suite", *item) for item in loaded.suites.items()]
        return _aligned([("NAME", "KIND", "PROJECT", "SUMMARY"), *rows])

    print(table(registry))
    if registry.broken:
        print(f"\n{len(registry.broken)} broken:")
        print(_aligned([(b.name, str(b.origin), b.reason) for b in registry.broken]))
    return 1 if arguments.check and registry.broken else 0


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
