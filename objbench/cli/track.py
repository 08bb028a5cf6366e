"""``objbench track``: run a recipe of the encoder track, check a result by its rules, make it a submission."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Parser, wrapped
from objbench.cli.plugin_arguments import add_set_argument, default_cache
from objbench.cli.run import add_place_arguments, carry_out
from objbench.cli.submit import add_folder_arguments, make_and_print
from objbench.cli.terminal import say
from objbench.errors import ConfigError
from objbench.judge.formatting import count

SUMMARY = "The encoder track: the least compute to a fixed target, by fixed rules."
EPILOG = """\
A track fixes text, tokenizer, held-out measurement, evaluation points and targets; a recipe is a study
file that chooses the rest: encoder, objectives, options, optimizer, schedule, batch and budget, and at
least five seeds. CONTRIBUTING, "Enter the track", has the whole way.

examples:
  objbench track run toy --config leaderboard/studies/track-toy-modern.toml --out runs/mine
  objbench track check toy runs/mine
  objbench track submit toy runs/mine --out my-row
"""
_RUN = "Run a recipe under what the track fixes."
_RUN_EPILOG = """\
A study is split into cells: one pretraining run per objective and seed, and the evaluations of each. A
study file that sets what the track fixes is refused. The text is compared by its digests before
anything is trained on it. To continue a run that was stopped, give the same command again.

examples:
  objbench track run toy --config mine.toml --out runs/mine
  objbench track run english --config mine.toml --corpus texts/ --set blimp.dir=blimp/
"""
_CHECK = "Say by the rules of the track what a run or a submission is worth."
_CHECK_EPILOG = """\
RUN is a run folder, a published study, or a folder that somebody sent, which is treated as hostile as
`objbench accept` treats it. Every fault is a line, and the exit code is then 1. What each recipe spent
to the targets is printed with intervals, and against the holder of the record among the rows.

A study that was not made by `objbench track run` is checked alike: where text, tokenizer, evaluation
points and seeds are those of the track, its objectives are recipes.

examples:
  objbench track check toy runs/mine
  objbench track check english runs/ladder-1 --rows leaderboard/track/english
"""
_SUBMIT = "Make a folder of a result of the track that can be sent to others."
_SUBMIT_EPILOG = """\
The result is checked by the rules of the track and then by those of `objbench submit`, whose folder it is.
Whoever keeps the track adds it with `objbench accept FOLDER --board leaderboard/track/TRACK`.

examples:
  objbench track submit toy runs/mine --out my-row --by "A. Reader"
"""

Action = Callable[[argparse.Namespace, list[str]], int]


def add_arguments(parser: Parser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str, epilog: str) -> Parser:
        made: Parser = actions.add_parser(
            name, help=summary, description=wrapped(summary), epilog=wrapped(epilog)
        )
        made.add_argument(
            "of_track",
            metavar="TRACK",
            help="a track that ships, such as toy, or the path of a track file",
        )
        return made

    _add_run(action("run", _RUN, _RUN_EPILOG))
    _add_check(action("check", _CHECK, _CHECK_EPILOG))
    _add_submit(action("submit", _SUBMIT, _SUBMIT_EPILOG))


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Do what is asked; returns the exit code."""
    return _ACTIONS[arguments.action](arguments, words)


def _add_run(parser: Parser) -> None:
    parser.add_argument(
        "--config",
        type=read.reading(read.path),
        required=True,
        metavar="FILE",
        help="the recipe, a study file (TOML)",
    )
    parser.add_argument(
        "--corpus",
        dest="study.data.corpus",
        metavar="CORPUS",
        help="the folder of the track's text, where it has files",
    )
    add_set_argument(parser)
    # A recipe is in its file alone, so that it can be sent.
    parser.set_defaults(preset=None, tasks=None)
    add_place_arguments(parser)


def _run(arguments: argparse.Namespace, words: list[str]) -> int:
    from objbench.judge.track.track import read_track

    track = read_track(arguments.of_track)
    from objbench.runs.track_text import require_files, require_text

    require_files(track, getattr(arguments, "study.data.corpus"))
    from objbench.cli.chosen_study import chosen_study
    from objbench.runs.processes import require_all_processes
    from objbench.runs.track_recipe import fixed_layer, require_seeds

    require_all_processes()
    chosen = chosen_study(arguments, above=fixed_layer(track, arguments.config))
    require_seeds(track, chosen.study)
    if not (arguments.dry_run or arguments.print_config):
        require_text(track, chosen.study, arguments.cache or default_cache(), say)
    return carry_out(chosen, arguments, words)


def _add_check(parser: Parser) -> None:
    parser.add_argument(
        "run",
        type=read.reading(read.path),
        metavar="RUN",
        help="run folder, such as runs/mine, or a folder made by objbench track submit",
    )
    parser.add_argument(
        "--rows",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder of the track's rows, to compare with (default: leaderboard/track/TRACK if it is "
        "there)",
    )
    add_set_argument(parser)


def _check(arguments: argparse.Namespace, words: list[str]) -> int:
    from objbench.judge.track.track import read_track

    track = read_track(arguments.of_track)
    from objbench.judge.track.rows import judged, rows_in
    from objbench.judge.track.rules import unfinished
    from objbench.leaderboard.track.report import report_lines
    from objbench.runs.track_result import taken_result

    rows = arguments.rows or Path("leaderboard") / "track" / track.name
    if arguments.rows is not None and not rows.is_dir():
        raise ConfigError(f"{rows} is no folder of rows: name one such as leaderboard/track/toy")
    with taken_result(arguments.run, read.options_of(arguments.set)) as taken:
        faults = [*taken.faults]
        for fault in faults:
            say(f"fault: {fault}")
        for reason in taken.unchecked:
            say(f"not checked: {reason}")
        if taken.results is not None and not faults:
            found = judged(track, taken.name, taken.results)
            faults = [*found.all_faults, *unfinished(taken.results)]
            for fault in faults:
                say(f"fault: {fault}")
            others = [row for other in rows_in(track, rows).values() for row in other.rows]
            for line in report_lines(track, found.rows, others):
                say(line)
    if faults:
        say(f"objbench: {arguments.run}: {count(len(faults), 'fault')}", file=sys.stderr)
    return 1 if faults else 0


def _add_submit(parser: Parser) -> None:
    parser.add_argument(
        "run", type=read.reading(read.path), metavar="RUN", help="run folder, such as runs/mine"
    )
    add_folder_arguments(parser)


def _submit(arguments: argparse.Namespace, words: list[str]) -> int:
    from objbench.judge.track.track import read_track

    track = read_track(arguments.of_track)
    from objbench.judge.track.rows import judged
    from objbench.results.study_results import read_study_results

    found = judged(track, arguments.run.resolve().name, read_study_results(arguments.run))
    if faults := found.all_faults:
        raise ConfigError(
            f"{arguments.run} is not a row of track {track.name} ({count(len(faults), 'fault')}, such as: "
            f"{faults[0]}); `objbench track check` lists all"
        )
    return make_and_print(arguments)


_ACTIONS: Mapping[str, Action] = {"run": _run, "check": _check, "submit": _submit}
