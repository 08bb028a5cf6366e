"""``objbench run``: put a study together from preset, file and flags, and run it."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objbench.cli import arguments as read
from objbench.cli.study_arguments import DEFAULT_PRESET, chosen_study
from objbench.contract.composition import configured
from objbench.contract.meters import AXES
from objbench.contract.options import configure
from objbench.errors import ConfigError
from objbench.plugins.registry import load_plugins
from objbench.study.budget import parse_budget

if TYPE_CHECKING:
    from objbench.runs.run_study import StudyEnd

SUMMARY = "Pretrain objectives under equal compute, evaluate them, and print the leaderboard."
EPILOG = """\
Any option of a plugin has a flag of its own: --glue-dir DIR is --set glue.dir=DIR.

A run that was stopped goes on where it was when the same command is given again.

examples:
  objbench run --objectives mlm,taco --preset demo
  objbench run --objectives mlm,taco --preset tiny --corpus texts/ --glue-dir glue/ --seeds 2
"""


def add_arguments(parser: read.Parser) -> None:
    """Declare the flags."""
    _add_study(parser.add_argument_group("the study"))
    _add_training(parser.add_argument_group("data and training (the preset's, where not given)"))
    _add_evaluation(parser.add_argument_group("evaluation"))
    where = parser.add_argument_group("where and how it runs")
    folder = where.add_mutually_exclusive_group()
    folder.add_argument("--name", help="run folder runs/NAME (the preset's or study file's name)")
    folder.add_argument("--out", type=Path, metavar="DIR", help="run folder")
    where.add_argument(
        "--cache", type=Path, metavar="DIR", help="tokenised text (~/.cache/objbench)"
    )
    where.add_argument(
        "--jobs",
        type=read.reading(read.count),
        metavar="N",
        help="cells at a time on a CPU (one a core, as far as there are cells)",
    )
    where.add_argument(
        "--device",
        type=read.reading(read.device),
        help="torch device, such as cuda:1 (the first GPU, or the CPU)",
    )
    where.add_argument("--dry-run", action="store_true", help="print the cells and stop")


def _add_study(group: Any) -> None:
    group.add_argument(
        "--objectives",
        type=read.names,
        metavar="A,B",
        help="what to compare; the first is the baseline, which sets the budget",
    )
    group.add_argument(
        "--preset", metavar="NAME", help=f"settings to start from ({DEFAULT_PRESET})"
    )
    group.add_argument("--config", type=Path, metavar="FILE", help="study file (TOML)")
    group.add_argument(
        "--seeds", type=read.reading(read.seeds), metavar="N|A,B", help="how many seeds, or which"
    )
    group.add_argument(
        "--budget",
        type=read.reading(_budget),
        metavar="AMOUNT",
        help="100k-steps, 2B-tokens, 1e18-flops, 30-min or 24-gpu-hours",
    )
    group.add_argument(
        "--equalize", choices=AXES, help="what every objective gets as much of as the baseline"
    )
    group.add_argument(
        "--set",
        type=read.reading(read.assignment),
        action="append",
        default=[],
        metavar="PLUGIN.OPTION=VALUE",
        help="an option of an objective or suite; may be repeated",
    )


def _add_training(group: Any) -> None:
    count = read.reading(read.count)
    group.add_argument("--corpus", help="toy, a file, folder or glob, or hf:NAME[:CONFIG][:COLUMN]")
    group.add_argument("--tokenizer", help="train:SIZE, a folder, or a name on the hub")
    group.add_argument("--length", type=count, metavar="T", help="tokens of a sequence")
    group.add_argument("--batch", type=count, metavar="B", help="sequences of an optimizer step")
    group.add_argument("--micro-batches", type=count, metavar="N", help="parts to run a batch in")
    group.add_argument("--lr", type=read.reading(read.positive), help="peak learning rate")
    group.add_argument(
        "--schedule", choices=("linear", "constant", "trunk"), help="of the learning rate"
    )
    group.add_argument("--precision", choices=("fp32", "bf16", "fp16"))
    group.add_argument("--compile", action="store_true", default=None, help="use torch.compile")


def _add_evaluation(group: Any) -> None:
    count = read.reading(read.count)
    group.add_argument("--suites", type=read.names, metavar="A,B", help="what to evaluate on")
    group.add_argument(
        "--eval-points", type=count, metavar="N", help="points of the budget to evaluate at"
    )
    group.add_argument(
        "--eval-spacing", choices=("equal", "geometric"), help="of those points; see the README"
    )
    group.add_argument(
        "--max-train-samples",
        type=count,
        metavar="N",
        help="fine-tune on at most N examples a task",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Check everything that can be checked at once, then run the study."""
    study = chosen_study(arguments)
    run = _run_folder(arguments)
    # From here on torch is needed; the options are checked before anything else is loaded.
    registry = load_plugins(only={*study.objectives, *study.evaluation.suites})
    for name in study.objectives:
        configured(registry.objective(name), study.of(name).options)
    for name in study.evaluation.suites:
        configure(registry.suite(name), study.options.get(name, {}))
    if arguments.dry_run:
        from objbench.runs.dry_run import dry_run

        print(dry_run(study, run=run, registry=registry))
        return 0
    from objbench.runs.processes import is_main
    from objbench.runs.run_study import run_study

    end = run_study(
        study,
        run=run,
        cache=arguments.cache or default_cache(),
        jobs=arguments.jobs,
        device=arguments.device,
        command=shlex.join(["objbench", *words]),
        registry=registry,
    )
    if is_main():
        _report(run, end)
    return end.exit_code


def _report(run: Path, end: StudyEnd) -> None:
    """Write and print the leaderboard, and print what went wrong."""
    from objbench.leaderboard.page import write_leaderboard
    from objbench.leaderboard.terminal import terminal_summary
    from objbench.results.study_results import read_study_results

    results = read_study_results(run)
    page = write_leaderboard(run, run / "leaderboard", results=results)
    print(terminal_summary(results))
    print(f"leaderboard: {os.path.relpath(page)}", flush=True)
    for failure in end.failures:
        print(f"objbench: {failure.id} {failure.status}: {failure.text}", file=sys.stderr)


def _budget(text: str) -> str:
    parse_budget(text)
    return text


def _run_folder(arguments: argparse.Namespace) -> Path:
    if arguments.out:
        return Path(arguments.out)
    if arguments.config:
        name = str(arguments.name or arguments.config.stem)
    else:
        name = str(arguments.name or arguments.preset or DEFAULT_PRESET)
    if Path(name).name != name or name in {".", ".."}:
        raise ConfigError(f"--name {name!r} is not a plain name; give a folder with --out")
    return Path("runs") / name


def default_cache() -> Path:
    """Where tokenised text is kept when no folder is named."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "objbench"
