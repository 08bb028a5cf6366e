"""``objbench leaderboard``: the records of a run as a page, an index, or a page across scales."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.terminal import say
from objbench.errors import ConfigError

SUMMARY = "Write the leaderboard of a run folder: verdicts, tables and plots; or a page over many."
EPILOG = """\
Nothing is trained or evaluated: the page is made from the plan and the records in RUN, and
the same records give the same page, byte for byte.

examples:
  objbench leaderboard runs/demo
  objbench leaderboard runs/demo --out leaderboard/demo --with-records
  objbench leaderboard --index leaderboard
  objbench leaderboard --across runs/small runs/large --out runs/ladder
  objbench leaderboard --across runs/ladder
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        type=read.reading(read.path),
        nargs="?",
        metavar="RUN",
        help="run folder, such as runs/demo, or the folder of a published study",
    )
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder to write to (default: RUN/leaderboard; of --across the folder across beside "
        "the studies)",
    )
    parser.add_argument(
        "--with-records",
        action="store_true",
        help="copy the plan and the records into the folder of --out too, so that it can be "
        "committed and its page made again; the page is titled by that folder's name",
    )
    parser.add_argument(
        "--index",
        type=read.reading(read.path),
        metavar="DIR",
        help="write one README.md that lists every study folder in DIR; into DIR, or into the "
        "folder of --out",
    )
    parser.add_argument(
        "--across",
        type=read.reading(read.path),
        nargs="+",
        metavar="STUDY",
        help="compare studies of several scales or recipes, run folders or published ones: speedup "
        "and gain at each, and whether they change with scale; or make the page in one folder again",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Write the page and print its path."""
    if arguments.across is not None:
        if arguments.run is not None or arguments.index is not None or arguments.with_records:
            raise ConfigError("--across goes with --out only: it reads the studies it names")
        return _across(arguments.across, arguments.out)
    if arguments.index is not None:
        if arguments.run is not None or arguments.with_records:
            raise ConfigError("--index goes with --out only: it reads every study folder in DIR")
        return _index(arguments.index, arguments.out)
    if arguments.run is None:
        raise ConfigError("give a run folder (runs/demo), --index DIR or --across STUDY STUDY")
    from objbench.results.run_folder import read_plan

    read_plan(arguments.run)  # a wrong folder is reported before pandas and matplotlib are loaded
    write_and_print(arguments.run, arguments.out, with_records=arguments.with_records)
    return 0


def write_and_print(run: Path, out: Path | None = None, with_records: bool = False) -> None:
    """Write the page of a run, print its summary, and print where the page is.

    Args:
        run: a run folder, or a published study.
        out: the folder of the page; one in the run folder when None.
        with_records: publish the records too.
    """
    from objbench.leaderboard.analysis import analyse
    from objbench.leaderboard.page import write_leaderboard
    from objbench.leaderboard.terminal import terminal_summary
    from objbench.results.run_folder import RunFolder
    from objbench.results.study_results import read_study_results

    folder, results = RunFolder(run), read_study_results(run)
    report = analyse(results, folder.read_step_comparison())
    page = write_leaderboard(
        run, out or folder.leaderboard, with_records=with_records, results=results, report=report
    )
    say(terminal_summary(report))
    say(f"leaderboard: {os.path.relpath(page)}")


def _index(folder: Path, out: Path | None) -> int:
    from objbench.leaderboard.index import write_index

    page = write_index(folder, out)
    say(f"index: {os.path.relpath(page)}")
    return 0


def _across(folders: list[Path], out: Path | None) -> int:
    from objbench.leaderboard.across.page import compare_studies, default_folder, write_across
    from objbench.leaderboard.across.sentences import headline

    found = compare_studies(folders)
    page = write_across(folders, out or default_folder(folders), found)
    say(headline(found))
    say(f"across scales: {os.path.relpath(page)}")
    return 0
