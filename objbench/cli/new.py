"""``objbench new``: a complete, working plugin project to start from."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.chosen_study import ALL
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import known_plugins
from objbench.cli.terminal import say
from objbench.errors import ConfigError
from objbench.plugins.new_project import module_of, require_name, write_project

SUMMARY = "Create the project of a new objective or suite: working code, a test, a README."
EPILOG = """\
The new objective trains as it is: a variant of masked language modelling to change into yours. The
new suite scores as it is: retrieval of paraphrases. Tasks that are fine-tuned need no suite of their
own: see `objbench run --tasks`.

examples:
  objbench new half_masked
  objbench new --suite retrieval
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", metavar="NAME", help="name of the plugin: lowercase letters, digits and _"
    )
    parser.add_argument(
        "--suite", action="store_true", help="a suite of tasks, in place of an objective"
    )
    parser.add_argument(
        "--dir",
        type=read.reading(read.path),
        metavar="PATH",
        help="folder to create (default: objbench-NAME)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Write the project and print the next commands."""
    name = arguments.name
    require_name(name)
    if name in known_plugins().names:
        raise ConfigError(
            f"{name!r} is already the name of a plugin; `objbench plugins` shows whose"
        )
    if name == ALL:
        raise ConfigError(f"{ALL!r} stands for every objective of a study; choose another name")
    if importlib.util.find_spec(module := module_of(name)) is not None:
        raise ConfigError(f"a module {module} is installed already; choose another name")
    folder = arguments.dir or Path(f"objbench-{name.replace('_', '-')}")
    for path in write_project(name, folder, "suite" if arguments.suite else "objective"):
        say(str(path))
    check, run = f"{name} --against mlm", f"--objectives mlm,{name} --preset demo"
    if arguments.suite:
        check, run = name, f"--objectives mlm,taco --preset demo --suites {name}"
    say(f"""
next:
  pip install -e {shlex.quote(str(folder))}
  objbench check {check}
  objbench run {run} --name {name}""")
    return 0
