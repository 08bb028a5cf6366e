"""``objbench check``: whether an objective, or a suite, meets its contract."""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import (
    add_plugin_arguments,
    check_names,
    default_cache,
    is_suite,
    load,
)
from objbench.cli.terminal import say
from objbench.errors import ConfigError
from objbench.study.files import preset_layer

if TYPE_CHECKING:
    from objbench.plugins.conformance.check import Check, Result
    from objbench.plugins.conformance.subject import Subject
    from objbench.plugins.conformance.suite_subject import SuiteSubject

SUMMARY = "Check an objective (losses, gradients, randomness, processes, FLOPs, cost) or a suite."
EPILOG = """\
Every check prints one line: ok, failed or skipped, and what was observed. A failed check also says
what that means and how to fix it, and makes the exit code 1. Takes about a minute on one core.

examples:
  objbench check taco --against mlm
  objbench check taco --set taco.anchors=masked --compile
  objbench check glue --set glue.dir=GLUE/
"""
PRESET = "demo"


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    add_plugin_arguments(parser, "objective or suite to check", PRESET)
    parser.add_argument(
        "--against", metavar="NAME", help="objective to compare the cost per step with"
    )
    parser.add_argument(
        "--compile", action="store_true", help="also check torch.compile, which takes a minute"
    )
    parser.add_argument(
        "--cache",
        type=read.reading(read.path),
        metavar="DIR",
        help="tokenized text (default: ~/.cache/objbench)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Run the checks and print each result as soon as it is known."""
    preset_layer(arguments.preset)
    if is_suite(arguments.name):
        return _check_suite(arguments)
    objectives = [arguments.name, *([arguments.against] if arguments.against else [])]
    check_names(objectives, arguments.set)
    # From here on torch is needed.
    registry = load(set(objectives))
    from objbench.cli.check_subject import chosen_subject, described
    from objbench.plugins.conformance.checks import CHECKS
    from objbench.runs.progress import Lines

    with tempfile.TemporaryDirectory() as scratch:
        subject = chosen_subject(
            arguments.name,
            preset=arguments.preset,
            options=read.options_of(arguments.set),
            against=arguments.against,
            registry=registry,
            cache=arguments.cache or default_cache(),
            scratch=Path(scratch),
            compiles=arguments.compile,
            display=Lines(),
        )
        say(described(subject, arguments.preset))
        return _report(subject, CHECKS)


def _check_suite(arguments: argparse.Namespace) -> int:
    """The same for a suite."""
    check_names([arguments.name], arguments.set, any_kind=True)
    for flag in ("against", "compile"):
        if getattr(arguments, flag):
            raise ConfigError(f"--{flag} is for objectives, and {arguments.name} is a suite")
    registry = load()
    from objbench.cli.check_suite import chosen_suite
    from objbench.plugins.conformance.suite_checks import SUITE_CHECKS
    from objbench.runs.progress import Lines

    with tempfile.TemporaryDirectory() as scratch:
        subject = chosen_suite(
            arguments.name,
            preset=arguments.preset,
            options=read.options_of(arguments.set),
            registry=registry,
            cache=arguments.cache or default_cache(),
            scratch=Path(scratch),
            display=Lines(),
        )
        say(f"{arguments.name}: an untrained encoder of the preset {arguments.preset}, on the CPU")
        return _report(subject, SUITE_CHECKS)


def _report(subject: Subject | SuiteSubject, checks: Sequence[Check]) -> int:
    """Run the checks on the subject, and print their results; returns the exit code."""
    from objbench.plugins.conformance.check import run_checks

    # Imported modules live until exit: the garbage collector need not scan them after every check.
    gc.freeze()
    started = time.monotonic()
    width = max(len(check.name) for check in checks)
    failed = skipped = 0
    first: dict[str, str] = {}
    for result in run_checks(subject, checks):
        say(_lines(result, width, first))
        failed += result.status == "failed"
        skipped += result.status == "skipped"
    passed = len(checks) - failed - skipped
    seconds = time.monotonic() - started
    say(f"{passed} ok, {failed} failed, {skipped} skipped in {seconds:.0f} s")
    return 1 if failed else 0


def _lines(result: Result, width: int, first: dict[str, str]) -> str:
    """The line of a result; under a failed one, what it means and how to fix it.

    A fault that keeps a step from running fails most checks alike, and only at the first is it told.

    Args:
        width: of the names of the checks.
        first: what was observed -> the first check that it failed; this one is added.
    """
    check = result.check
    if result.status == "failed" and first.setdefault(result.note, check.name) != check.name:
        return f"failed  {check.name:<{width}}  as {first[result.note]!r}"
    line = f"{result.status:<8}{check.name:<{width}}  {result.note}"
    if result.status != "failed":
        return line
    indent = " " * 8
    return f"{line}\n{indent}meaning: {check.meaning}\n{indent}to fix: {check.remedy}"
