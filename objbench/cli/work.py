"""``objbench work``: run cells of a study that was planned elsewhere."""

from __future__ import annotations

import argparse
import gc
import sys

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import default_cache
from objbench.cli.run_place import place, run_place
from objbench.cli.terminal import say
from objbench.errors import ConfigError
from objbench.runs.processes import processes

SUMMARY = "Run cells of a planned study, together with any number of other workers."
EPILOG = """\
objbench run --executor workers plans a study and waits; every objbench work --run FOLDER, started
by hand or by a cluster on any machine that has the folder, or reaches the object store, takes cells
that nobody has, one per core or GPU, until none is left. Workers may be added and stopped at any
time: what Ctrl-C, SIGTERM or SIGUSR2 interrupts is given back at the next step, and the cells of a
worker that is lost are taken over after five minutes, from their checkpoints.

examples:
  objbench run --objectives mlm,taco --preset demo --executor workers
  objbench work --run runs/demo
  objbench work --run s3://bucket/runs/demo
"""


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--run",
        type=read.reading(place),
        metavar="DIR",
        required=True,
        help="run folder of the planned study; or s3://BUCKET/RUN (gs://, az://)",
    )
    parser.add_argument(
        "--cache",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder for tokenized text (default: ~/.cache/objbench)",
    )
    parser.add_argument(
        "--jobs",
        type=read.reading(read.jobs),
        metavar="N",
        help="cells to run at the same time (default: one per core, or one per GPU)",
    )
    parser.add_argument(
        "--threads",
        type=read.reading(read.jobs),
        metavar="N",
        help="threads of each cell (default: an equal share of the cores); equal records need equal "
        "numbers of threads",
    )
    parser.add_argument(
        "--device",
        type=read.reading(read.device),
        help="torch device, such as cuda:1 (default: all GPUs, otherwise the CPU)",
    )
    parser.add_argument(
        "--cell-timeout",
        type=read.reading(read.positive),
        metavar="MINUTES",
        help="end a cell that takes longer; it counts as failed (default: no limit)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Work until no cell is left; 1 if a cell failed here."""
    if processes() > 1:
        raise ConfigError("a worker is one process: start it without torchrun or accelerate launch")
    from objbench.runs.work import work

    cache = arguments.cache or default_cache()
    found = run_place(arguments.run, cache, is_copied=False)
    # Imported modules live until exit: the garbage collector need not scan them after every cell.
    gc.freeze()
    end = work(
        found.folder,
        store=found.store,
        cache=cache,
        jobs=arguments.jobs,
        device=arguments.device,
        threads=arguments.threads,
        cell_timeout=None if arguments.cell_timeout is None else 60 * arguments.cell_timeout,
    )
    ran, failed = len(end.ran), len(end.failures)
    cells = f"{ran} cell{'s' if ran != 1 else ''}"
    more = f", {failed} of them failed" if failed else "" if ran else ": none was left to be run"
    say(f"ran {cells}{more}", file=sys.stderr)
    return 1 if failed else 0
