"""``objbench selftest``: the judge tried on simulated studies whose truth is known."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

from objbench.cli import arguments as read
from objbench.errors import ConfigError

SUMMARY = "Test the judge itself: its error rates on simulated studies with a known truth."
EPILOG = """\
Exit code 1 if a bound is broken: false confirmations or refutations above 5%, or coverage of the
95% interval outside 92% to 98%, in a study that the method is made for.

The same arguments give the same rates.
"""


def add_arguments(parser: read.Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--repetitions",
        type=read.reading(read.count),
        metavar="N",
        help="studies drawn for each row (4000)",
    )
    parser.add_argument(
        "--seeds",
        type=read.reading(_seed_counts),
        metavar="LIST",
        help="numbers of pretraining seeds, each at least 3 (3,5,10)",
    )
    parser.add_argument(
        "--random-seed",
        type=read.reading(_random_seed),
        default=0,
        metavar="N",
        help="of the simulation (%(default)s)",
    )
    parser.add_argument(
        "--real",
        type=Path,
        metavar="RUN",
        help="draw the studies from the seeds of this run's one objective instead",
    )
    parser.add_argument(
        "--score", default="", metavar="NAME", help="with --real: a suite, or heldout:TERM"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the page and the rates")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Run the test, print it, and store it if asked to."""
    if arguments.real is not None:
        return _on_real_runs(arguments, words)
    if arguments.score:
        raise ConfigError("--score goes with --real RUN: simulated studies have one score only")
    from objbench.judge.selftest.page import selftest_page
    from objbench.judge.selftest.selftest import REPETITIONS, SEED_COUNTS, selftest
    from objbench.results.atomic_files import write_text
    from objbench.results.json_files import dump

    rates = selftest(
        arguments.repetitions or REPETITIONS,
        arguments.seeds or SEED_COUNTS,
        arguments.random_seed,
    )
    page = selftest_page(rates, shlex.join(["objbench", *words]), _made_with())
    print(page)
    if arguments.out is not None:
        write_text(arguments.out / "rates.json", dump(rates))
        write_text(arguments.out / "README.md", page)
        print(f"self-test: {os.path.relpath(arguments.out / 'README.md')}")
    for fault in rates.faults:
        print(f"objbench: broken bound: {fault}", file=sys.stderr)
    return 1 if rates.faults else 0


def _on_real_runs(arguments: argparse.Namespace, words: list[str]) -> int:
    from objbench.judge.selftest.page import real_page
    from objbench.judge.selftest.real_runs import REPETITIONS, real_selftest
    from objbench.judge.selftest.selftest import SEED_COUNTS
    from objbench.results.atomic_files import write_text
    from objbench.results.json_files import dump
    from objbench.results.study_results import read_study_results

    results = read_study_results(arguments.real)
    suites = [suite.name for suite in results.suites]
    score = arguments.score or next(iter(suites), "")
    if not score:
        raise ConfigError(f"{arguments.real} has no suite: name a score, such as heldout:mlm")
    rates = real_selftest(
        results,
        score,
        arguments.repetitions or REPETITIONS,
        arguments.seeds or SEED_COUNTS,
        arguments.random_seed,
    )
    seeds = len(results.pretrained(results.plan.baseline))
    what = f"{seeds} pretraining seeds of {results.plan.baseline} in {results.plan.name}"
    page = real_page(rates, what, shlex.join(["objbench", *words]), _made_with())
    print(page)
    if arguments.out is not None:
        stem = f"{results.plan.name}-{re.sub('[: ]', '-', score)}"
        write_text(arguments.out / f"{stem}.json", dump(rates))
        write_text(arguments.out / f"{stem}.md", page)
        print(f"self-test: {os.path.relpath(arguments.out / f'{stem}.md')}")
    return 0


def _made_with() -> dict[str, str]:
    from objbench.results.provenance import processor_name, versions

    shown = {name: version for name, version in versions().items() if name in _LIBRARIES}
    return {"machine": processor_name(), **shown, "scipy": metadata.version("scipy")}


_LIBRARIES = ("python", "objbench", "numpy")


def _seed_counts(text: str) -> tuple[int, ...]:
    counts = tuple(dict.fromkeys(read.count(part) for part in read.names(text)))
    if not counts or min(counts) < 3:
        raise ValueError(f"{text!r} is no list of numbers from 3 on, such as 3,5,10")
    return counts


def _random_seed(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number from 0 on")
    return int(text)
