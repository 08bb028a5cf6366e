"""``objbench accept``: check a study that somebody sent, and add it to a board as unverified."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from objbench import __version__
from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import add_set_argument
from objbench.cli.terminal import say
from objbench.judge.formatting import count

SUMMARY = "Check a study that somebody sent, and add it to a board as unverified."
EPILOG = """\
FOLDER is treated as hostile: nothing in it is run, no link is followed, and nothing that it names by
a path is opened. Every fault is printed on a line of its own, and the exit code is then 1. Keys are
made again from the plan with the plugins that are installed here; what could not be is said.

The study is a folder of the board like any other, and its pages and the index say that nobody has
run it again. `objbench rerun` does that.

examples:
  objbench accept my-result
  objbench accept my-result --check-only
  objbench accept my-result --board leaderboard --set glue.dir=glue/
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "folder",
        type=read.reading(read.path),
        metavar="FOLDER",
        help="what somebody made with `objbench submit`",
    )
    parser.add_argument(
        "--board",
        type=read.reading(read.path),
        default=Path("leaderboard"),
        metavar="DIR",
        help="the folder of studies to add it to (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        type=read.reading(_folder_name),
        help="its folder there (default: after the study)",
    )
    parser.add_argument("--check-only", action="store_true", help="add it to no board")
    add_set_argument(parser)


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the faults, or add the study and print where it is."""
    from objbench.results.sealed_folder import SEAL
    from objbench.runs.submission import check_submission, taken_in

    with taken_in(arguments.folder) as (copy, beyond):
        found = check_submission(copy, read.options_of(arguments.set))
        faults = [*beyond, *found.faults]
        for fault in faults:
            say(f"fault: {fault}")
        for reason in found.unchecked:
            say(f"not checked: {reason}")
        if faults or found.results is None or found.statement is None:
            # A run folder, or a study of a board, has much that no submission has.
            is_made = (arguments.folder / SEAL).exists()
            hint = "" if is_made else "; make a submission of it with `objbench submit` first"
            said = f"{count(len(faults), 'fault')}{hint}"
            say(f"objbench: {arguments.folder}: {said}", file=sys.stderr)
            return 1
        say(f"no fault in {count(len(found.results.records), 'record')}; digest {found.digest}")
        if arguments.check_only:
            return 0
        from objbench.leaderboard.board import add_received, place_on, refresh
        from objbench.results.provenance import now
        from objbench.results.submissions.marks import Received

        study = place_on(arguments.board, found.results, found.digest, arguments.name or "")
        received = Received(
            submission=found.digest,
            records="0",
            by=found.statement.by,
            received=now(),
            objbench=__version__,
            cells=len(found.results.plan.cells),
            keys=found.keys,
            unchecked=tuple(found.unchecked),
            left_out=len(found.statement.left_out),
        )
        add_received(study, copy, received)
        say(f"unverified: {os.path.relpath(study / 'README.md')}")
        for page in refresh(arguments.board):
            say(f"page: {os.path.relpath(page)}")
    return 0


def _folder_name(text: str) -> str:
    """The name of a study's folder, which pages and terminals show.

    Raises:
        ValueError: it may not be one.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,59}", text):
        raise ValueError(
            f"{text[:40]!r} is not the name of a folder: use up to 60 letters, digits, '.', '_' and '-', "
            "and do not begin with '.' or '-'"
        )
    return text
