"""The flags that make a study; the place of a flag's value in the study is the flag's ``dest``."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from objbench.cli import arguments as read
from objbench.cli.parser import Group, Parser
from objbench.cli.plugin_arguments import add_set_argument
from objbench.contract.meters import AXES
from objbench.results.evaluation_points import Spacing
from objbench.study.budget import parse_budget
from objbench.study.choices import Precision, Schedule
from objbench.study.files import Layer, merge, setting_layer

_STUDY = "study."


def add_study_arguments(parser: Parser) -> None:
    """Declare the flags that make a study."""
    _add_study(parser.add_argument_group("study"))
    _add_training(parser.add_argument_group("data and training", "Defaults come from the preset."))
    _add_evaluation(parser.add_argument_group("evaluation"))


def _add_study(group: Group) -> None:
    group.add_argument(
        "--preset", metavar="NAME", help="preset to start from (default: one for this machine)"
    )
    group.add_argument(
        "--config", type=read.reading(read.path), metavar="FILE", help="study file (TOML)"
    )
    _add(
        group,
        "--objectives",
        "objectives",
        "objectives to compare; the first is the baseline, whose budget the others match; or all",
        read.names,
        "A,B",
    )
    _add(
        group,
        "--seeds",
        "seeds",
        "number of pretraining seeds, such as 3, or a list of them, such as 0,1,2",
        read.seeds,
        "N|A,B",
    )
    _add(
        group,
        "--looks",
        "looks",
        "numbers of seeds at which verdicts will be read, such as 5,10,20, declared before the first "
        "seed is run (default: once, at the seeds of the first command)",
        read.counts,
        "A,B",
    )
    _add(
        group,
        "--budget",
        "budget",
        "of the baseline: such as 100k-steps, 2B-tokens, 1e18-flops, 30-min or 24-gpu-hours",
        _budget,
        "AMOUNT",
    )
    _add(
        group,
        "--equalize",
        "equalize",
        "resource to match with the baseline: every objective gets the same amount",
        AXES,
    )
    add_set_argument(group)


def _add_training(group: Group) -> None:
    corpus = "toy, a file, a folder, a glob, or hf:NAME[:CONFIG][:COLUMN]"
    _add(group, "--corpus", "data.corpus", corpus)
    _add(group, "--tokenizer", "data.tokenizer", "train:SIZE, a folder, or a Hugging Face Hub name")
    init = "checkpoint that every run continues from, with its tokenizer: a folder, or a hub name"
    _add(group, "--init", "encoder.init", init, str, "FOLDER|NAME")
    kind = "encoder family, such as bert, modernbert or electra, in the preset's size"
    _add(group, "--encoder", "encoder.model_type", kind, str, "TYPE")
    _add(group, "--width", "encoder.width", "width of the encoder", read.count, "D")
    _add(group, "--layers", "encoder.layers", "layers of the encoder", read.count, "N")
    _add(group, "--heads", "encoder.heads", "attention heads of a layer", read.count, "N")
    _add(group, "--length", "data.length", "tokens per sequence", read.count, "T")
    _add(group, "--batch", "training.batch", "sequences per optimizer step", read.count, "B")
    parts = "parts that a batch is computed in to save memory; the loss stays the whole batch's"
    _add(group, "--micro-batches", "training.micro_batches", parts, read.count, "N")
    _add(group, "--lr", "training.learning_rate", "peak learning rate", read.positive)
    _add(group, "--schedule", "training.schedule", "learning-rate schedule", get_args(Schedule))
    _add(group, "--precision", "training.precision", "number format", get_args(Precision))
    group.add_argument(
        "--compile",
        dest=f"{_STUDY}training.compile",
        action="store_true",
        default=None,
        help="compile the encoder with torch.compile",
    )
    group.add_argument(
        "--activation-checkpointing",
        dest=f"{_STUDY}training.activation_checkpointing",
        action="store_true",
        default=None,
        help="compute layers again in the backward pass to save memory; the numbers stay the same",
    )


def _add_evaluation(group: Group) -> None:
    suites = "suites to evaluate on"
    _add(group, "--suites", "evaluation.suites", suites, read.names, "A,B")
    group.add_argument(
        "--tasks",
        type=read.reading(read.path),
        metavar="FILE",
        help="tasks of your own (TOML), fine-tuned and probed beside the suites",
    )
    points = "at how many points of the budget encoders are evaluated"
    _add(group, "--eval-points", "evaluation.points", points, read.count, "N")
    spacing = "how evaluation points are spaced over the budget"
    _add(group, "--eval-spacing", "evaluation.spacing", spacing, get_args(Spacing))
    most = "train on at most N examples per task when evaluating"
    _add(group, "--max-train-samples", "evaluation.max_train_samples", most, read.count, "N")


def _add(
    group: Group,
    flag: str,
    place: str,
    help: str,
    value: Any = str,
    metavar: str | None = None,
) -> None:
    """Declare a flag whose value goes to ``place`` in the study.

    Args:
        value: a function that reads it, or the values that it may have.
    """
    if isinstance(value, tuple):
        value, metavar = read.one_of(value), "{" + ",".join(value) + "}"
    metavar = metavar or flag.removeprefix("--").upper()
    group.add_argument(
        flag, dest=f"{_STUDY}{place}", type=read.reading(value), metavar=metavar, help=help
    )


def flag_layer(arguments: argparse.Namespace) -> Layer:
    """What the flags say of the study, as parsed by ``objbench run``."""
    layer: Layer = {}
    for place, value in vars(arguments).items():
        if place.startswith(_STUDY) and value is not None:
            layer = merge(layer, setting_layer(place.removeprefix(_STUDY), value))
    if arguments.set:
        layer["options"] = read.options_of(arguments.set)
    return layer


def _budget(text: str) -> str:
    parse_budget(text)
    return text
