"""``objbench new``: a plugin project to start from, complete and working."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from objbench.cli.arguments import Parser
from objbench.errors import ConfigError
from objbench.plugins.new_project import require_name, write_project
from objbench.plugins.registry import entry_point_names

SUMMARY = "Make the project of a new objective: working code, its test, a README."
EPILOG = """\
What it makes trains at once: a variant of masked language modelling, to be changed into yours.

example:
  objbench new half_masked
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", metavar="NAME", help="of the objective: lowercase, digits and _")
    parser.add_argument(
        "--dir", type=Path, metavar="PATH", help="new folder for it (objbench-NAME)"
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Write the project and say what to do with it."""
    name = arguments.name
    require_name(name)
    if name in entry_point_names():
        raise ConfigError(f"{name!r} is registered already; `objbench plugins` says by whom")
    folder = arguments.dir or Path(f"objbench-{name.replace('_', '-')}")
    for path in write_project(name, folder):
        print(path)
    print(f"""
next:
  pip install -e {shlex.quote(str(folder))}
  objbench check {name} --against mlm
  objbench run --objectives mlm,{name} --preset demo""")
    return 0
