"""``objbench rerun``: run cells of an accepted study again, and mark it verified or say what differs."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import add_set_argument, default_cache
from objbench.cli.terminal import say
from objbench.errors import ConfigError

SUMMARY = "Run cells of an accepted study again, and mark it verified or say what differs."
EPILOG = """\
The cells are drawn by the digest of what was sent and a number that is drawn now, so its sender could
not choose them. Each pretraining that is drawn is run whole, with one of its evaluations. On the
same device, with the same versions, threads and processes, every number must be equal to the last
bit; elsewhere a loss or a score may differ as two seeds of the study do. The reference lines, by which
a run counts as learnt, are measured again too.

The exit code is 0 where all agrees, and 1 where something differs. An interrupted command continues
with the --seed that it printed.

examples:
  objbench rerun leaderboard/their-study --cells 2
  objbench rerun leaderboard/their-study --corpus texts/ --set glue.dir=glue/
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "study",
        type=read.reading(read.path),
        metavar="STUDY",
        help="folder of a study that `objbench accept` added to a board",
    )
    parser.add_argument(
        "--cells",
        type=read.reading(read.count),
        default=2,
        metavar="N",
        help="how many cells to draw (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=read.reading(_nonce),
        metavar="TEXT",
        help="draw with this in place of a new random number",
    )
    parser.add_argument(
        "--corpus", default="", metavar="NAME|PATH", help="the study's text on this machine"
    )
    parser.add_argument(
        "--tokenizer", default="", metavar="NAME|DIR", help="its tokenizer on this machine"
    )
    add_set_argument(parser)
    parser.add_argument(
        "--run-their-code",
        action="store_true",
        help="run plugins as they were sent, where they are not installed here; such code can do "
        "whatever you may do, so read it first, or do this in a container",
    )
    parser.add_argument(
        "--out",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder for the new records and encoders (default: runs/rerun-STUDY-SEED)",
    )
    parser.add_argument(
        "--cache",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder for tokenized text (default: ~/.cache/objbench)",
    )
    parser.add_argument(
        "--device",
        type=read.reading(read.device),
        help="torch device, such as cuda:1 (default: the first GPU, otherwise the CPU)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Run the cells, store what came of it beside the study, and write its pages again."""
    from objbench.results.study_results import read_study_results

    study: Path = arguments.study
    results = read_study_results(study)
    if results.sent_in is None:
        raise ConfigError(
            f"{study} is no study that `objbench accept` added to a board: accept it first, or name one "
            "that was, such as leaderboard/track/toy/modern"
        )
    from objbench.engine.training.devices import default_device
    from objbench.leaderboard.board import refresh, write_pages
    from objbench.leaderboard.sent_words import difference_words, named_again, standing_words
    from objbench.results.submissions.marks import SentIn, write_marks
    from objbench.runs.planning.drawn_cells import new_nonce
    from objbench.runs.rerun import Machine, rerun
    from objbench.runs.their_plugins import their_plugins

    nonce = arguments.seed or new_nonce()
    machine = Machine(
        run=arguments.out or Path("runs") / f"rerun-{study.resolve().name}-{nonce}",
        cache=arguments.cache or default_cache(),
        device=arguments.device or default_device(),
        corpus=arguments.corpus,
        tokenizer=arguments.tokenizer,
        options=read.options_of(arguments.set),
        command=shlex.join(["objbench", *words]),
    )
    with their_plugins(study, results.plan, may_run_theirs=arguments.run_their_code) as registry:
        found = rerun(results, registry, machine, nonce=nonce, count=arguments.cells, say=say)
    marks = SentIn(results.sent_in.received, (*results.sent_in.reruns, found))
    write_marks(study, marks)
    for name, again in named_again(found):
        of = f"{again.equal} of {again.numbers} numbers equal to the last bit"
        say(f"{name}: {'differs' if again.differences else 'agrees'}; {of}")
        for difference in again.differences:
            say(f"  {difference_words(difference)}")
    write_pages(study)
    say(f"{study}: {standing_words(marks)}")
    for page in [study / "README.md", *refresh(study.resolve().parent)]:
        say(f"page: {os.path.relpath(page)}")
    return 0 if found.agrees else 1


def _nonce(text: str) -> str:
    """Text that may be part of a folder's name.

    Raises:
        ValueError: it may not.
    """
    if not text.isascii() or not text.replace("-", "").isalnum() or len(text) > 40:
        raise ValueError(f"{text[:40]!r} is not up to 40 letters, digits and -")
    return text
