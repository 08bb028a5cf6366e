"""``objbench watch``: the cells of a run in the terminal, while it lasts."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.terminal import say

SUMMARY = "Show all cells of a run in the terminal while it lasts."
EPILOG = """\
It reads the plan, the records and the logs (RUN/logs/*.jsonl, one JSON line per log and evaluation
point), so it may run anywhere that sees the folder. Ctrl-C ends it, and not the run.

examples:
  objbench watch runs/demo
  objbench watch runs/demo --once
"""

_PLAIN_WIDTH = 160


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("run", type=read.reading(read.path), metavar="RUN", help="run folder")
    parser.add_argument(
        "--once", action="store_true", help="print the cells as they are now, and stop"
    )
    parser.add_argument(
        "--every",
        type=read.reading(read.positive),
        default=2.0,
        metavar="SECONDS",
        help="how often to look (default: %(default)g)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Show the cells until all are done."""
    from rich.console import Console

    from objbench.leaderboard.watched_run import Watcher
    from objbench.leaderboard.watched_table import watched_table
    from objbench.results.published_study import refuse_published

    refuse_published(
        arguments.run, "name a run folder, or show this one with `objbench leaderboard`"
    )
    watcher = Watcher(arguments.run)
    seen = watcher.look()
    if arguments.once or not sys.stdout.isatty():
        plain = Console(width=_PLAIN_WIDTH, color_system=None, force_terminal=False)
        with plain.capture() as captured:
            plain.print(watched_table(seen))
        say("\n".join(line.rstrip() for line in captured.get().splitlines()))
        return 0
    from rich.live import Live

    console = Console()
    # Ctrl-C is how to stop looking, and no fault.
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            # Room for the title, the heads, the other cells and the line of what is not shown.
            rows = max(1, console.size.height - len(seen.kinds) - 6)
            live.update(watched_table(seen, rows), refresh=True)
            if seen.is_complete:
                return 0
            time.sleep(min(arguments.every, 3600.0))
            seen = watcher.look()
    return 0
