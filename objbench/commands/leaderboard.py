"""``objbench leaderboard``: the records of a run folder as a page and a plot."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from objbench.arguments import Parser

SUMMARY = "Write the leaderboard of a run folder: markdown, and the convergence plot."
EPILOG = "Reads the records and nothing else: the same records give the same bytes."


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, such as runs/demo")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to write to (RUN/leaderboard)"
    )
    parser.add_argument(
        "--with-records",
        action="store_true",
        help="copy the plan and records there too, so that the page can be made again from them",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Write the page and say where it lies."""
    from objbench.plan import read_plan

    read_plan(arguments.run)  # a wrong folder is told before pandas and matplotlib are loaded
    from objbench.board.page import write_leaderboard
    from objbench.board.terminal import terminal_summary

    out = arguments.out or arguments.run / "leaderboard"
    page = write_leaderboard(arguments.run, out, with_records=arguments.with_records)
    print(terminal_summary(arguments.run))
    print(f"leaderboard: {os.path.relpath(page)}")
    return 0
