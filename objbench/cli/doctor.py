"""``objbench doctor``: whether objbench will run here, line by line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import default_cache, load
from objbench.cli.terminal import say

if TYPE_CHECKING:
    from objbench.cli.diagnosis import Diagnosis

SUMMARY = (
    "Check versions, devices, threads, disk, plugins, files, cache and hub, and say what to do."
)
EPILOG = """\
One line each: ok, warning or fault, what was found, and what to do. The exit code is 2 with a fault,
else 0. Nothing is trained; the hub is given a few seconds to answer, and is never a fault.

examples:
  objbench doctor
  objbench doctor --json
"""


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument("--json", action="store_true", help="print the same as a JSON array")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print what was found."""
    import json
    from dataclasses import asdict

    from objbench.cli.diagnosis import diagnosis_lines

    found = list(diagnoses())
    if arguments.json:
        say(json.dumps([asdict(own) for own in found], indent=2))
    else:
        say("\n".join(diagnosis_lines(found)))
    return 2 if any(own.status == "fault" for own in found) else 0


def diagnoses() -> Iterator[Diagnosis]:
    """Everything that is looked at, the most basic first."""
    from importlib import metadata

    from objbench.cli import diagnosed_installation as installation
    from objbench.cli import diagnosed_machine as machine

    tested = installation.tested_versions(installation.CHECKOUT / "constraints.txt")
    yield installation.versions(metadata.requires("objbench") or (), tested)
    found = list(machine.devices())
    yield from found
    if any(own.name == "torch" for own in found):
        return  # Without torch there are neither threads nor plugins.
    yield machine.threads()
    yield machine.disk("disk", Path("runs"))
    yield machine.cache(default_cache())
    yield from installation.plugins(load())
    yield installation.named_files(installation.CHECKOUT, Path.cwd())
    yield machine.hub()
