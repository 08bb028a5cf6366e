"""``objbench compare``: two objectives against each other by everything that was measured of both."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.leaderboard import FORMATS, formats_of
from objbench.cli.parser import Parser
from objbench.cli.terminal import say
from objbench.errors import ConfigError, UnknownNameError

SUMMARY = "Compare two objectives by every score, budget and compute axis, and by single examples."
EPILOG = """\
The first is what the second is compared with. Intervals are the judge's own, over pairs of runs with
the same pretraining seed that both learnt; what cannot be concluded is said with the reason. Where
each was pretrained once, their encoders are compared example by example (McNemar's exact test).

With RUN_A A RUN_B B the two come from two runs of the same text, suites and budget.

examples:
  objbench compare runs/demo mlm taco
  objbench compare runs/demo mlm taco --format html,csv --out paper/results
  objbench compare runs/one mlm runs/two mlm
"""
TABLES = tuple(name for name in FORMATS if name not in ("png", "pdf"))


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="RUN A B",
        help="a run folder or published study and two of its objectives, or RUN_A A RUN_B B",
    )
    parser.add_argument(
        "--format",
        type=read.reading(formats_of(TABLES)),
        metavar="NAMES",
        help="files to write, one or several of: markdown, html, csv, latex, json "
        "(default: print markdown)",
    )
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder of the files (default: leaderboard/A-vs-B in the run folder)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the comparison, or write it."""
    if arguments.out is not None and not arguments.format:
        raise ConfigError("--out goes with --format: without it the comparison is printed")
    match arguments.what:
        case [run, first, second]:
            sides = ((_run(run), first), (_run(run), second))
        case [run, first, other, second]:
            sides = ((_run(run), first), (_run(other), second))
        case _:
            raise ConfigError("give RUN A B, or RUN_A A RUN_B B: a run folder and two objectives")
    from objbench.results.run_folder import read_plan

    for run, name in sides:
        known = [objective.name for objective in read_plan(run).objectives]
        if name not in known:
            raise UnknownNameError("objective", name, known, where=f"of {run}")
    if sides[0] == sides[1]:
        raise ConfigError(f"{sides[0][1]} cannot be compared with itself: name two objectives")
    from objbench.judge.score_source import Pair
    from objbench.leaderboard.compared_pair import compared_document
    from objbench.leaderboard.render_markdown import render_markdown
    from objbench.results.study_results import read_study_results

    (run, first), (other, second) = sides
    results = read_study_results(run)
    studies = {results.plan.name: results.sent_in}
    if other != run:
        from objbench.results.joined_runs import joined_runs

        more = read_study_results(other)
        # By their folders: a stranger's study may be called like one's own.
        studies = dict(zip(_names(run, other), (results.sent_in, more.sent_in), strict=True))
        results, second = joined_runs(results, more, second)
    document = compared_document(results, Pair(second, first), studies)
    if not arguments.format:
        say(render_markdown(document), end="")
        return 0
    from objbench.leaderboard.compared_files import write_compared

    out = arguments.out or run / "leaderboard" / f"{first}-vs-{second}"
    for path in write_compared(out, document, arguments.format):
        say(f"comparison: {os.path.relpath(path)}")
    return 0


def _names(one: Path, other: Path) -> tuple[str, str]:
    """What two folders are called: as they were typed, where their last names are the same."""
    names = (one.resolve().name, other.resolve().name)
    return names if names[0] != names[1] else (str(one), str(other))


def _run(text: str) -> Path:
    try:
        return read.path(text)
    except ValueError as error:
        raise ConfigError(str(error)) from error
