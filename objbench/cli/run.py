"""``objbench run``: put a study together from preset, file and flags, and run it."""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.chosen_study import ChosenStudy, chosen_study
from objbench.cli.leaderboard import write_and_print
from objbench.cli.machine_choice import described
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import default_cache, load
from objbench.cli.run_place import place
from objbench.cli.study_arguments import add_study_arguments
from objbench.cli.terminal import say
from objbench.contract.composition import configured
from objbench.contract.options import configure
from objbench.runs.executors.place import EXECUTORS
from objbench.runs.processes import is_main, require_all_processes
from objbench.runs.starters.sbatch_options import MINUTES, sbatch_option
from objbench.runs.tracking.trackers import TRACKERS

if TYPE_CHECKING:
    from objbench.plugins.registry import Registry
    from objbench.study.study import Study

SUMMARY = "Pretrain objectives under equal compute, evaluate them, and print the leaderboard."
EPILOG = """\
Every option of a plugin also has a flag: --glue-dir DIR is --set glue.dir=DIR.

A study is split into cells: one pretraining run per objective and seed, and one evaluation per
task. --schedule trunk keeps the learning rate constant and finishes every evaluation point with a
cooldown branch of its own, so that every point is a finished model.

To continue a run that was stopped, give the same command again; finished cells are skipped.

Without --preset and --config the preset follows the machine, and the first lines say what it is.

examples:
  objbench run --objectives mlm,taco --budget 100k-steps
  objbench run --objectives mlm,taco --preset demo
  objbench run --objectives mlm,taco --preset tiny --corpus texts/ --glue-dir glue/ --seeds 2
"""
DEVICE_HELP = "torch device, such as cuda:1 (default: the first GPU, otherwise the CPU)"


def add_arguments(
    parser: Parser,
    device: Callable[[str], str] = read.device,
    device_help: str = DEVICE_HELP,
) -> None:
    """Declare the flags; ``objbench plan`` has all of them, and another ``--device``."""
    add_study_arguments(parser)
    add_place_arguments(parser, device, device_help)


def add_place_arguments(
    parser: Parser,
    device: Callable[[str], str] = read.device,
    device_help: str = DEVICE_HELP,
) -> None:
    """Declare the flags that say where and how a study is run."""
    where = parser.add_argument_group("where and how it runs")
    folder = where.add_mutually_exclusive_group()
    folder.add_argument(
        "--name", help="run folder runs/NAME (default: after preset, study file or objectives)"
    )
    folder.add_argument(
        "--out",
        type=read.reading(place),
        metavar="DIR",
        help="run folder, instead of runs/NAME; or s3://BUCKET/RUN (gs://, az://) for a run in an "
        "object store",
    )
    where.add_argument(
        "--cache",
        type=read.reading(read.path),
        metavar="DIR",
        help="folder for tokenized text (default: ~/.cache/objbench)",
    )
    where.add_argument(
        "--jobs",
        type=read.reading(read.jobs),
        metavar="N",
        help="cells (see below) to run at the same time (default: one per core, or one per GPU)",
    )
    where.add_argument(
        "--executor",
        choices=EXECUTORS,
        default=EXECUTORS[0],
        help="what runs the cells: this machine, workers that are started with objbench work, or "
        "workers that are started on a Ray or Slurm cluster (default: %(default)s)",
    )
    where.add_argument(
        "--workers",
        type=read.reading(read.jobs),
        metavar="N",
        help="workers to start on the cluster (default: on Ray as many as it has room for, on Slurm "
        "one per pretraining)",
    )
    where.add_argument(
        "--address",
        help="address of the Ray cluster, such as 10.0.0.1:6379 (default: the one that runs on this "
        "machine; otherwise one is started for this run)",
    )
    where.add_argument(
        "--sbatch",
        type=read.reading(sbatch_option),
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="an option of sbatch for the workers on Slurm, such as partition=gpu, gpus=1 or "
        f"time=480 (minutes; default: {MINUTES}); may be repeated",
    )
    where.add_argument(
        "--device",
        type=read.reading(device),
        help=device_help,
    )
    where.add_argument(
        "--cell-timeout",
        type=read.reading(read.positive),
        metavar="MINUTES",
        help="end a cell that takes longer; it counts as failed (default: no limit)",
    )
    where.add_argument(
        "--track",
        type=read.reading(read.one_of(tuple(TRACKERS))),
        action="append",
        default=[],
        metavar="{" + ",".join(TRACKERS) + "}",
        help="also log every pretraining there while it runs; may be repeated",
    )
    where.add_argument(
        "--open", action="store_true", help="show the page in a browser when all has been run"
    )
    instead = where.add_mutually_exclusive_group()
    instead.add_argument(
        "--dry-run", action="store_true", help="print every cell and whether it is done, and stop"
    )
    instead.add_argument(
        "--print-config",
        action="store_true",
        help="print the whole study as a study file for --config, defaults included, and stop",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Check everything that can be checked at once, then run the study."""
    require_all_processes()
    return carry_out(chosen_study(arguments), arguments, words)


def carry_out(chosen: ChosenStudy, arguments: argparse.Namespace, words: list[str]) -> int:
    """Run the study that was chosen, or print what is asked for instead; returns the exit code."""
    # Not needed to print --help.
    from objbench.runs.starters.chosen_place import chosen_place

    where = chosen_place(
        arguments.executor,
        workers=arguments.workers,
        address=arguments.address,
        sbatch=arguments.sbatch,
        device=arguments.device,
    )
    study, run = chosen.study, chosen.run.folder
    if chosen.by_machine and is_main():
        for line in described(chosen.by_machine, study, str(chosen.run)):
            say(line, file=sys.stderr, wrap=True)
    # From here on torch is needed; the options are checked before anything else is loaded.
    registry = load({*study.objectives, *study.evaluation.suites})
    check_options(registry, study)
    if arguments.print_config:
        from objbench.study.toml_text import study_toml

        say(study_toml(study), end="")
        return 0
    if arguments.dry_run:
        from objbench.engine.training.devices import default_device
        from objbench.runs.dry_run import dry_run
        from objbench.runs.executors.choose import choose_executor

        device = arguments.device or default_device()
        pretrainings = len(study.objectives) * len(study.seeds)
        choose_executor(arguments.jobs, device, pretrainings, where)
        say(dry_run(study, run=run, registry=registry, device=device))
        return 0
    from objbench.runs.run_study import run_study

    # Imported modules live until exit: the garbage collector need not scan them after every cell.
    gc.freeze()
    end = run_study(
        study,
        run=run,
        store=chosen.run.store,
        cache=arguments.cache or default_cache(),
        jobs=arguments.jobs,
        device=arguments.device,
        command=shlex.join(["objbench", *_without_tracking(words)]),
        registry=registry,
        cell_timeout=None if arguments.cell_timeout is None else 60 * arguments.cell_timeout,
        place=where,
        trackers=arguments.track,
    )
    if is_main():
        chosen.run.refresh()
        write_and_print(run, formats=("markdown", "html"), is_opened=arguments.open)
        chosen.run.put_page()
        for failure in end.failures:
            say(f"objbench: {failure.id} {failure.status}: {failure.text}", file=sys.stderr)
    return end.exit_code


def check_options(registry: Registry, study: Study) -> None:
    """Refuse options that do not fit before anything else is loaded.

    Raises:
        ConfigError, UnknownNameError: one does not.
    """
    for name in study.objectives:
        configured(registry.objective(name), study.for_objective(name).options)
    for name in study.evaluation.suites:
        configure(registry.suite(name), study.options.get(name, {}))


def _without_tracking(words: list[str]) -> list[str]:
    """The command line as records keep it: where a run was watched is no part of what it was."""
    kept, rest = [], iter(words)
    for word in rest:
        if word == "--track":
            next(rest, None)
        elif not word.startswith("--track="):
            kept.append(word)
    return kept
