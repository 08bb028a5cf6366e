"""``objbench prune``: remove encoders and checkpoints that no unfinished cell of a run needs."""

from __future__ import annotations

import argparse

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.terminal import say

SUMMARY = "Remove a run's encoders and checkpoints that no unfinished cell needs."
EPILOG = """\
Without --yes nothing is removed: what would be is listed, with its bytes. Records are never touched,
so the leaderboard and every verdict stay. A later evaluation of a pruned encoder, as of a suite that
is added to the study, says that it has to be pretrained again.

examples:
  objbench prune runs/demo
  objbench prune runs/demo --yes
"""


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", type=read.reading(read.path), metavar="RUN", help="run folder")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """List what no unfinished cell needs, and remove it if told to."""
    from objbench.judge.formatting import count, memory
    from objbench.runs.prune import prune, pruning

    found = prune(arguments.run) if arguments.yes else pruning(arguments.run)
    verb = "removed" if arguments.yes else "would remove"
    for own in found.removable:
        say(f"{verb} {arguments.run / own.name} ({memory(own.bytes)})")
    if not found.removable and not found.kept:
        say(f"nothing to remove: {arguments.run} has no encoders and no checkpoints")
        return 0
    encoders = sum(own.is_encoder for own in found.removable)
    cells = count(len(found.removable) - encoders, "cell")
    what = f"{count(encoders, 'encoder')} and the checkpoints of {cells}"
    parts = [f"{what}: {found.bytes:,} bytes"]
    if found.kept:
        are = "is" if found.unfinished == 1 else "are"
        why = [f"{count(found.unfinished, 'cell')} that {are} not finished may need"]
        why = (why if found.unfinished else []) + ["workers have"] * found.is_worked_on
        parts.append(f"{count(len(found.kept), 'folder')} kept, which {' or '.join(why)}")
    say("; ".join(parts))
    if found.removable and not arguments.yes:
        say("nothing has been removed; the same command with --yes does it")
    return 0
