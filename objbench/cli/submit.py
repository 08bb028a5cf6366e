"""``objbench submit``: a finished study as one folder to be sent, sealed and checked."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.run_place import place, run_place
from objbench.cli.terminal import say

SUMMARY = "Make a folder of a finished study that can be sent to others."
EPILOG = """\
The folder has the plan, every record, the sources of plugins that objbench lacks, and a statement
of what ran where, sealed by the SHA-256 of each file. No encoder and no text is in it. The checks
of `objbench accept` are run first. CONTRIBUTING, "Send your result", says what to do with it.

examples:
  objbench submit runs/mine --out my-result
  objbench submit runs/mine --out my-result --by "A. Reader"
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        type=read.reading(place),
        metavar="RUN",
        help="run folder, such as runs/mine, s3://BUCKET/RUN, or the folder of a published study",
    )
    add_folder_arguments(parser)


def add_folder_arguments(parser: Parser) -> None:
    """Declare what the folder is called and who sends it."""
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        required=True,
        metavar="FOLDER",
        help="the folder to make",
    )
    parser.add_argument(
        "--by",
        type=read.reading(read.label),
        metavar="NAME",
        help="who sends it, to be shown beside the result (default: nobody named)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Make the folder, and print its digest and what a receiver cannot check."""
    return make_and_print(arguments)


def make_and_print(arguments: argparse.Namespace) -> int:
    """Make the folder ``out`` of ``run``, and print what ``main`` does; returns the exit code."""
    from objbench.results.run_folder import read_plan

    run = run_place(arguments.run, logs=True).planned()
    read_plan(run)  # a wrong folder is reported before the plugins are loaded
    from objbench.runs.submission import make_submission

    found = make_submission(run, arguments.out, arguments.by or "")
    for reason in found.unchecked:
        say(f"cannot be checked without you: {reason}")
    if found.statement is not None and found.statement.left_out:
        say(
            f"left out: {len(found.statement.left_out)} records of earlier code, data or settings; "
            "statement.json names them"
        )
    say(f"submission: {os.path.relpath(Path(arguments.out))}")
    say(f"digest: {found.digest}")
    return 0
