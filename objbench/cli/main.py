"""The command line: ``objbench run``, ``plan``, ``leaderboard``, ``check``, ``new`` and the other subcommands.

``--help`` and usage errors are answered at once, so nothing heavy is imported here or at the top of
a subcommand's file: a subcommand imports what it needs once its arguments have been checked.
Errors that the user can fix become one line and exit code 2; anything else is a bug and keeps its
traceback.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from objbench import __version__
from objbench.cli import (
    accept,
    check,
    claims,
    compare,
    doctor,
    leaderboard,
    new,
    plan,
    plugins,
    presets,
    prune,
    push,
    rerun,
    run,
    selftest,
    show,
    submit,
    track,
    verify,
    watch,
    work,
)
from objbench.cli.completion import ASKED, complete
from objbench.cli.parser import Parser, as_typed, expand_plugin_flags, refuse, wrapped
from objbench.cli.plugin_arguments import known_plugins
from objbench.cli.terminal import open_closed_streams, say
from objbench.engine.training.interruption import INTERRUPTS
from objbench.errors import ObjbenchError, UnknownNameError, one_line
from objbench.plugins.fault_place import fault_place


class Command(Protocol):
    """A subcommand: a module of ``objbench.cli``."""

    SUMMARY: str
    EPILOG: str

    def add_arguments(self, parser: Parser) -> None:
        """Declare the arguments."""

    def main(self, arguments: argparse.Namespace, words: list[str]) -> int:
        """Run the subcommand; returns the exit code."""


COMMANDS: dict[str, Command] = {
    "run": run,
    "plan": plan,
    "work": work,
    "leaderboard": leaderboard,
    "verify": verify,
    "push": push,
    "compare": compare,
    "claims": claims,
    "selftest": selftest,
    "plugins": plugins,
    "presets": presets,
    "show": show,
    "new": new,
    "check": check,
    "submit": submit,
    "accept": accept,
    "rerun": rerun,
    "track": track,
    "doctor": doctor,
    "prune": prune,
    "watch": watch,
}
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after ``objbench``; the process's own when None.

    Returns:
        The exit code: 0 for success, 1 if cells failed or diverged or a check found a fault, 2 for
        an error that the user can fix, 130 if interrupted.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if ASKED in os.environ:
        _complete()
    open_closed_streams()
    try:
        with _interrupted_by_signals(is_program=arguments is None):
            return _dispatch(words)
    except ObjbenchError as error:
        text = one_line(error)
        if flags := [word for word in words if word.startswith("--") and "-" in word[2:]]:
            text = as_typed(text, flags, known_plugins().names)
        say(f"objbench: error: {text}", file=sys.stderr, wrap=True)
        return 2
    except OSError as error:
        from objbench.results.storage_faults import storage_fault

        # No path of ours is that long, and any of the user's may be: a flag, or a line of a file.
        if error.errno == errno.ENAMETOOLONG:
            start = one_line(error.filename)[:60]
            say(f"objbench: error: the path {start}... is too long: shorten it", file=sys.stderr)
            return 2
        fault = storage_fault(error)
        if not fault:
            raise
        say(
            f"objbench: error: nothing can be stored ({fault}): make room or bring the disk back, "
            "then run the same command again",
            file=sys.stderr,
            wrap=True,
        )
        return 2
    except KeyboardInterrupt:
        say("objbench: interrupted; run the same command again to continue", file=sys.stderr)
        return INTERRUPTED


def _complete() -> None:
    """Answer a shell that asks how a word may go on; without argcomplete there is no answer."""
    with suppress(ImportError):
        complete(*_parsers())


@contextmanager
def _interrupted_by_signals(is_program: bool) -> Iterator[None]:
    """End on SIGTERM and SIGUSR2 as on Ctrl-C: clusters send them some time before they kill.

    Shells without job control start what runs in the background with Ctrl-C ignored; a signal that
    is sent to it all the same is meant. After the first one the command is ending, and further ones,
    which a group of processes often gets, must not end it in the middle of that.

    Args:
        is_program: the process ends with the command.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {
        number: signal.signal(number, signal.default_int_handler) for number in INTERRUPTS
    }
    try:
        yield
    except KeyboardInterrupt:
        if is_program:
            before = dict.fromkeys(INTERRUPTS, signal.SIG_IGN)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _dispatch(words: list[str]) -> int:
    parsed = parse(words)
    _configure_logging(verbose=parsed.verbose)
    try:
        return COMMANDS[parsed.command].main(parsed, words)
    except SystemExit as error:
        # Nothing of ours exits: foreign code did, outside of any cell, and nothing was finished.
        place = fault_place(error)
        raise ObjbenchError(
            f"a plugin called sys.exit({error.code!r}){f' at {place}' if place else ''} and ended "
            "the command; leave the plugin out, or let it raise an error"
        ) from error


def parse(words: list[str]) -> argparse.Namespace:
    """The arguments in ``words``, the subcommand's name as ``command``.

    Raises:
        ConfigError: a word is missing, unknown or out of place.
    """
    parser, subparsers = _parsers()
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        raise UnknownNameError("command", name, COMMANDS)
    at = words.index(name) + 1 if name is not None else len(words)
    own = parser if name is None else subparsers[name].of_action(words[at:])
    plugin_names: tuple[str, ...] = ()
    if "--set" in own.flags():
        plugin_names = known_plugins().names
        words = [*words[:at], *expand_plugin_flags(words[at:], own.flags(), plugin_names)]
    parsed: argparse.Namespace
    parsed, left_over = parser.parse_known_args(words)
    if left_over:
        refuse(left_over, own, plugin_names)
    return parsed


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(
        prog="objbench",
        description="Compare pretraining objectives for text encoders under equal compute.",
    )
    parser.add_argument("--version", action="version", version=f"objbench {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is being done")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    made = {}
    for name, command in COMMANDS.items():
        made[name] = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=wrapped(command.SUMMARY),
            epilog=wrapped(command.EPILOG),
        )
        command.add_arguments(made[name])
    return parser, made


def _configure_logging(*, verbose: bool) -> None:
    """Send objbench's log to stderr, and silence the messages and bars of the libraries."""
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="objbench: %(levelname)s: %(name)s: %(message)s")
    if not verbose:
        # Set in the environment, before the libraries are imported, for worker processes as well.
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("DATASETS_VERBOSITY", "error")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


if __name__ == "__main__":
    sys.exit(main())
