"""``objbench selftest``: the judge on simulated studies whose truth is known."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.terminal import say
from objbench.errors import ConfigError

if TYPE_CHECKING:
    from objbench.judge.selftest.error_rates import Rates

SUMMARY = "Measure the error rates of the judge itself, on simulated studies with a known truth."
EPILOG = """\
Exit code 1 if a bound is broken: more than 5% false confirmations or refutations, coverage of the
95% interval below 92%, or above 98% by its test alone, in a study that the method is made for. With
fewer than 4,000 studies per row, a bound is broken only where chance does not explain it.

The same arguments give the same rates.

examples:
  objbench selftest --out leaderboard/selftest
  objbench selftest --real leaderboard/toy-same --score heldout:mlm
  objbench selftest --from leaderboard/selftest/rates.json --out /tmp/selftest
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--repetitions",
        type=read.reading(read.count),
        metavar="N",
        help="number of studies judged for each row (default: 4000; 1000 with --real)",
    )
    parser.add_argument(
        "--seeds",
        type=read.reading(_seed_counts),
        metavar="LIST",
        help="numbers of pretraining seeds per study, each at least 3 (default: 3,5,10,20)",
    )
    parser.add_argument(
        "--random-seed",
        type=read.reading(_random_seed),
        default=0,
        metavar="N",
        help="seed of the simulation (%(default)s)",
    )
    parser.add_argument(
        "--real",
        type=read.reading(read.path),
        metavar="RUN",
        help="draw the studies from the pretraining seeds of this run's only objective instead",
    )
    parser.add_argument(
        "--score", default="", metavar="NAME", help="with --real: a suite, or heldout:TERM"
    )
    parser.add_argument(
        "--from",
        dest="stored",
        type=read.reading(read.path),
        nargs="+",
        default=[],
        metavar="FILE",
        help="make the pages of these stored rates (.json) again, without drawing any study",
    )
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder for the page and the rates",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Run the test, print its page, and store both if asked to."""
    from objbench.judge.selftest.page import selftest_page
    from objbench.results.atomic_files import write_text
    from objbench.results.json_files import dump

    # Before the simulation, which takes a while.
    if arguments.out is not None:
        try:
            arguments.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the folder {arguments.out} cannot be written: {error.strerror}; name another "
                "with --out"
            ) from error
    rates = _measured(arguments, words)
    for stem, found in rates.items():
        page = selftest_page(found)
        say(page)
        if arguments.out is not None:
            name = "README.md" if stem == "rates" else f"{stem}.md"
            write_text(arguments.out / f"{stem}.json", dump(found))
            write_text(arguments.out / name, page)
            say(f"self-test: {os.path.relpath(arguments.out / name)}")
        for fault in found.faults:
            say(f"objbench: broken bound: {fault}", file=sys.stderr)
    return 1 if any(found.faults for found in rates.values()) else 0


def _measured(arguments: argparse.Namespace, words: list[str]) -> dict[str, Rates]:
    """The stem of the files -> the rates; measured now, or read from stored ones."""
    if arguments.score and arguments.real is None:
        raise ConfigError("--score goes with --real RUN: simulated studies have one score only")
    if arguments.stored:
        from objbench.judge.selftest.error_rates import stored_rates

        if arguments.real is not None:
            raise ConfigError("--from makes pages of stored rates again: leave out --real")
        return {path.stem: stored_rates(path) for path in arguments.stored}
    from objbench.judge.selftest import selftest as simulated

    stem, seed_counts = "rates", arguments.seeds or simulated.SEED_COUNTS
    if arguments.real is None:
        repetitions = arguments.repetitions or simulated.REPETITIONS
        rates = simulated.selftest(repetitions, seed_counts, arguments.random_seed)
    else:
        from objbench.judge.selftest import real_runs
        from objbench.results.study_results import read_study_results

        results = read_study_results(arguments.real)
        score = arguments.score or next((suite.name for suite in results.suites), "")
        if not score:
            raise ConfigError(f"{arguments.real} has no suite: name a score, such as heldout:mlm")
        repetitions = arguments.repetitions or real_runs.REPETITIONS
        rates = real_runs.real_selftest(
            results, score, repetitions, seed_counts, arguments.random_seed
        )
        stem = re.sub(r"[^\w.-]", "-", f"{results.plan.name}-{score}")
    made = {"command": shlex.join(["objbench", *words]), "made_with": _made_with()}
    return {stem: rates.model_copy(update=made)}


def _made_with() -> dict[str, str]:
    from objbench.results.provenance import processor_name, versions

    shown = {name: version for name, version in versions().items() if name in _LIBRARIES}
    return {"machine": processor_name(), **shown, "scipy": metadata.version("scipy")}


_LIBRARIES = ("python", "objbench", "numpy")


def _seed_counts(text: str) -> tuple[int, ...]:
    counts = tuple(dict.fromkeys(read.count(part) for part in read.names(text)))
    if not counts or min(counts) < 3:
        raise ValueError(f"{text!r} is not a list of numbers that are at least 3, such as 3,5,10")
    return counts


def _random_seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number of at least 0")
    return int(text)
