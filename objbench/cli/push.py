"""``objbench push``: a study's encoders and records on the Hugging Face hub."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.terminal import say
from objbench.errors import ConfigError

if TYPE_CHECKING:
    from objbench.leaderboard.hub.repositories import Push

SUMMARY = (
    "Put a study's encoders and records on the Hugging Face Hub; a dry run unless --yes is given."
)
EPILOG = """\
Every final encoder becomes a model USER/NAME-OBJECTIVE-seed-N with a card: what it is, its scale, what
the study says, its scores as evaluation metadata, and how to load it. The plan, the records, the page
and its tables become the data set USER/NAME.

Without --yes nothing is sent and the network is not asked. Records name the command, the device and
the versions that made them. Log in first: hf auth login, or HF_TOKEN.

examples:
  objbench push runs/demo --to ada/objectives --data-licence cc-by-sa-4.0
  objbench push runs/demo --to ada/objectives --objectives taco --seeds 0,1 --private --yes
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run",
        type=read.reading(read.path),
        metavar="RUN",
        help="run folder, such as runs/demo; of a published study only the records go up",
    )
    parser.add_argument(
        "--to", metavar="USER/NAME", help="whose account, and what the study is called there"
    )
    parser.add_argument(
        "--data-licence",
        default="unknown",
        metavar="LICENCE",
        help="licence of the text that was trained on, such as cc-by-sa-4.0 (default: unknown)",
    )
    parser.add_argument(
        "--objectives",
        type=read.reading(read.names),
        default=(),
        metavar="A,B",
        help="objectives whose encoders go up (default: all)",
    )
    parser.add_argument(
        "--seeds",
        type=read.reading(_seeds),
        default=(),
        metavar="A,B",
        help="pretraining seeds whose encoders go up (default: all)",
    )
    parser.add_argument(
        "--private", action="store_true", help="make new repositories private (default: public)"
    )
    parser.add_argument("--yes", action="store_true", help="upload")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print what would go up, and send it if asked to."""
    from objbench.results.run_folder import read_plan

    read_plan(arguments.run)  # a wrong folder is reported before a missing --to
    if not arguments.to:
        raise ConfigError("where to? name an account and what the study is called: --to USER/NAME")
    licence = " ".join(arguments.data_licence.split())
    if not licence or not licence.isprintable() or len(licence) > 100:
        raise ConfigError("--data-licence is empty, too long or not plain text: such as cc-by-4.0")
    from objbench.leaderboard.hub.repositories import planned_push, require_name

    require_name(arguments.to)
    if arguments.yes:
        from objbench.leaderboard.hub.upload import require_login, upload

        require_login()
    push = planned_push(arguments.run, arguments.to, licence, arguments.objectives, arguments.seeds)
    visible = "private" if arguments.private else "public"
    for line in _described(push, licence):
        say(line)
    if not arguments.yes:
        say(f"nothing was sent: give --yes to upload; new repositories are {visible}")
        return 0
    for repository in push.repositories:
        say(f"uploaded {upload(repository, private=arguments.private)}")
    return 0


def _described(push: Push, licence: str) -> list[str]:
    from objbench.judge.formatting import count, memory

    lines = []
    for repository in push.repositories:
        sizes = repository.sizes
        lines.append(
            f"{repository.kind} {repository.name}: {count(len(sizes), 'file')}, "
            f"{memory(sum(sizes.values()))}"
        )
        lines += [f"  {size:>12,} {name}" for name, size in sizes.items()]
    lines += [f"left out: {why}" for why in push.left_out]
    return [*lines, f"licence of the data: {licence}"]


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 19 for part in parts):
        raise ValueError(f"{text!r} is no list of seeds, such as 0,1")
    return tuple(map(int, parts))
