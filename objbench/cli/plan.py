"""``objbench plan``: what a study would take, before anything is spent on it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli import run
from objbench.cli.chosen_study import ChosenStudy, chosen_study
from objbench.cli.machine_choice import described
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import load
from objbench.cli.terminal import say
from objbench.errors import ConfigError

if TYPE_CHECKING:
    from objbench.plugins.registry import Registry
    from objbench.results.plan import PlannedCell

SUMMARY = (
    "Say what a study would take: cells, FLOPs, memory, disk, time, price, and what its seeds show."
)
EPILOG = """\
Takes the arguments of objbench run. FLOPs are exact: the training step is run on tensors that have
shapes and no numbers. Neither the corpus nor the data of GLUE need be at hand; the last line says
what is assumed. Cells that are already in the run folder are not counted.

Times are of the device that --device names, by a dated table of peaks and assumed shares of them.
Without --device some steps are taken on this machine, on made-up text, if they are short enough.

examples:
  objbench plan --objectives mlm,taco --preset tiny --corpus texts/ --seeds 5
  objbench plan --objectives mlm,taco --preset small --seeds 5 --device h100
"""


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    run.add_arguments(
        parser,
        read.planned_device,
        "h100, h200, a100, 4090 or cpu, from a dated table; or a torch device that is here, to be "
        "measured (default: this machine, measured)",
    )
    asked = parser.add_argument_group("what is asked")
    asked.add_argument(
        "--price-per-hour",
        type=read.reading(read.positive),
        metavar="USD",
        help="price of an hour of the device (default: the table's range)",
    )
    asked.add_argument(
        "--difference",
        type=read.reading(read.positive),
        metavar="D",
        help="difference of scores that is to be found significant; with --deviation",
    )
    asked.add_argument(
        "--deviation",
        type=read.reading(read.positive),
        metavar="S",
        help="standard deviation of that difference between seeds, such as an earlier page gives",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the plan."""
    if (arguments.difference is None) != (arguments.deviation is None):
        raise ConfigError("--difference and --deviation are given together, or neither")
    if arguments.print_config:
        raise ConfigError("--print-config is of objbench run: write run in place of plan")
    device, arguments.device = arguments.device, None
    chosen = chosen_study(arguments, needs_corpus=False)
    study = chosen.study
    if chosen.by_machine:
        for line in described(chosen.by_machine, study, str(chosen.run)):
            say(line, file=sys.stderr, wrap=True)
    # From here on torch is needed.
    registry = load({*study.objectives, *study.evaluation.suites})
    run.check_options(registry, study)
    from objbench.engine.training.devices import default_device
    from objbench.runs.executors.choose import choose_executor
    from objbench.runs.forecast.devices import device_names
    from objbench.runs.forecast.plan_ahead import Asked, plan_ahead

    jobs, threads = arguments.jobs or 1, None
    if device not in device_names():
        from objbench.engine.training.devices import require_device

        here = device or default_device()
        require_device(here, study.training.precision)
        pretrainings = len(study.objectives) * len(study.seeds)
        executor = choose_executor(arguments.jobs, here, pretrainings)
        jobs, threads = executor.jobs, executor.threads
    is_here = device is not None and device not in device_names()
    done = _done(chosen, registry, str(device) if is_here else default_device())
    asked = Asked(
        device=device,
        jobs=jobs,
        threads=threads,
        price=arguments.price_per_hour,
        difference=arguments.difference,
        deviation=arguments.deviation,
        has_corpus=chosen.has_corpus,
        done=done,
    )
    for line in plan_ahead(study, registry, asked):
        say(line)
    return 0


def _done(chosen: ChosenStudy, registry: Registry, device: str) -> Sequence[PlannedCell]:
    """The cells that are in the run folder; none, and a line that says so, if it is another study's."""
    from objbench.results.run_folder import RunFolder
    from objbench.runs.finished_part import finished_part
    from objbench.runs.planning.folder_owner import require_same_study

    folder = RunFolder(chosen.run.folder, chosen.run.store)
    try:
        require_same_study(chosen.study, folder)
    except ConfigError as error:
        say(f"objbench run would refuse this: {error}", file=sys.stderr, wrap=True)
        return ()
    return finished_part(chosen.study, registry, folder, device).cells
