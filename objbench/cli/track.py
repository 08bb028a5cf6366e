"""``objbench track``: run a recipe of the encoder track, check a result by its rules, make it a submission."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from objbench.cli import arguments as read
from objbench.cli.parser import Parser, wrapped
from objbench.cli.plugin_arguments import add_set_argument, default_cache
from objbench.cli.run import add_place_arguments, carry_out
from objbench.cli.terminal import say

SUMMARY = "The encoder track: the least compute to a fixed target, by fixed rules."
EPILOG = """\
A track fixes text, tokenizer, held-out measurement, looks and targets; a recipe is a study file that
chooses the rest: encoder, objectives, options, optimizer, schedule, batch and budget, and at least five
seeds. CONTRIBUTING, "Enter the track", has the whole way.

examples:
  objbench track run toy --config leaderboard/studies/track-toy-modern.toml --out runs/mine
  objbench track check toy runs/mine
  objbench track submit toy runs/mine --out my-row
"""
_RUN = "Run a recipe under what the track fixes."
_RUN_EPILOG = """\
A study file that sets what the track fixes is refused. The text is compared by its digests before
anything is trained on it. To continue a run that was stopped, give the same command again.

examples:
  objbench track run toy --config mine.toml --out runs/mine
  objbench track run english --config mine.toml --corpus texts/ --set blimp.dir=blimp/
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
    from objbench.cli.chosen_study import chosen_study
    from objbench.runs.processes import require_all_processes
    from objbench.runs.track_recipe import fixed_layer, require_seeds

    require_all_processes()
    chosen = chosen_study(arguments, above=fixed_layer(track, arguments.config))
    require_seeds(track, chosen.study)
    if not (arguments.dry_run or arguments.print_config):
        from objbench.runs.track_text import require_files, require_text

        require_files(track, chosen.study.data.corpus)
        require_text(track, chosen.study, arguments.cache or default_cache(), say)
    return carry_out(chosen, arguments, words)


_ACTIONS: Mapping[str, Action] = {"run": _run}
