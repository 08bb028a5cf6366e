"""The study that preset, study file and flags make together, checked before a plugin is loaded.

The place of a flag's value in the study is the flag's ``dest``. Names of objectives, suites and
plugins are checked against the package metadata, before pydantic is imported, so that a misspelt
name is reported at once. Options are checked as far as they are known from an earlier run.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from objbench.cli import arguments as read
from objbench.cli.machine_choice import MachineChoice, machine_choice
from objbench.cli.plugin_arguments import add_set_argument, known_plugins, load
from objbench.contract.composition import JOINT, parts_of, plugins_of
from objbench.contract.meters import AXES
from objbench.errors import ConfigError
from objbench.plugins.known_plugins import KnownPlugins
from objbench.plugins.registry import Registry
from objbench.runs.processes import processes
from objbench.study.budget import parse_budget
from objbench.study.choices import Precision, Schedule, Spacing
from objbench.study.files import Layer, file_layer, merge, preset_layer, setting_layer

if TYPE_CHECKING:
    from objbench.study.study import Study

ALL = "all"
_STUDY = "study."
# More objectives than this are counted in the name of a run folder.
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class ChosenStudy:
    """What the command line asks for.

    Attributes:
        study: the study.
        run: its folder.
        by_machine: the preset that the machine decided; None where a preset or file was named.
    """

    study: Study
    run: Path
    by_machine: MachineChoice | None


def add_study_arguments(parser: read.Parser) -> None:
    """Declare the flags that make a study."""
    _add_study(parser.add_argument_group("study"))
    _add_training(parser.add_argument_group("data and training", "Defaults come from the preset."))
    _add_evaluation(parser.add_argument_group("evaluation"))


def _add_study(group: read.Group) -> None:
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


def _add_training(group: read.Group) -> None:
    corpus = "toy, a file, a folder, a glob, or hf:NAME[:CONFIG][:COLUMN]"
    _add(group, "--corpus", "data.corpus", corpus)
    _add(group, "--tokenizer", "data.tokenizer", "train:SIZE, a folder, or a Hugging Face Hub name")
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


def _add_evaluation(group: read.Group) -> None:
    suites = "suites to evaluate on"
    _add(group, "--suites", "evaluation.suites", suites, read.names, "A,B")
    points = "at how many points of the budget encoders are evaluated"
    _add(group, "--eval-points", "evaluation.points", points, read.count, "N")
    spacing = "how evaluation points are spaced over the budget"
    _add(group, "--eval-spacing", "evaluation.spacing", spacing, get_args(Spacing))
    most = "train on at most N examples per task when evaluating"
    _add(group, "--max-train-samples", "evaluation.max_train_samples", most, read.count, "N")


def _add(
    group: read.Group,
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


def chosen_study(arguments: argparse.Namespace) -> ChosenStudy:
    """The study chosen on the command line.

    Args:
        arguments: the parsed flags of ``objbench run``.

    Raises:
        ConfigError: a name or an option is unknown, or something is missing or out of range.
    """
    known = known_plugins()
    for plugin, _, _ in arguments.set:
        known.require("plugin", plugin)
    flags, by_machine = _flag_layer(arguments), None
    run = _run_folder(arguments, flags)
    layers, sources = _named_layers(arguments)
    if not layers:
        # Whatever is wrong with the names is reported before the machine is looked at.
        _check_names({**flags, "objectives": [n for n in _names(flags) if n != ALL]}, known)
        _require_objectives(flags)
        alone = processes() == 1
        by_machine = machine_choice(flags, arguments.device, run, alone=alone)
        layers, sources = [by_machine.layer], [f"preset {by_machine.preset}"]
    layers, sources = [*layers, flags], [*sources, "command line"]
    whole: Layer = {}
    for layer in layers:
        whole = merge(whole, layer)
    if ALL in _names(whole):
        layers = [*layers, {"objectives": every_objective(_names(whole), load())}]
        whole = merge(whole, layers[-1])
    _check_names(whole, known)
    _require_objectives(whole)
    if not _table(whole, "data").get("corpus"):
        raise ConfigError("no corpus: name a file or folder of text with --corpus, or --corpus toy")
    from objbench.study.study import build_study

    study = build_study(layers, " + ".join(sources))
    suites = study.evaluation.suites
    for plugin, option, _ in arguments.set:
        if plugin not in {*study.objectives, *plugins_of(study.objectives), *suites}:
            raise ConfigError(
                f"--set {plugin}.{option}: {plugin} has no part in this study;"
                " add it to --objectives or --suites, or leave the option out"
            )
    known.check_options(study.objectives, suites, study.options)
    return ChosenStudy(study, run, by_machine)


def every_objective(named: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """``named`` with ``all`` replaced by every objective, and the baseline with every term.

    The baseline is what is named before ``all``, or the one objective that declares itself one.
    After it come the other objectives by name, then the baseline with each term that it lacks.

    Args:
        named: names as on the command line, ``all`` among them.
        registry: every plugin, loaded.

    Raises:
        ConfigError: no objective, or more than one, declares itself the baseline.
    """
    before = list(named[: named.index(ALL)])
    if not before:
        # Declared by the class itself: what derives from the baseline is none.
        before = [name for name, cls in registry.objectives.items() if vars(cls).get("is_baseline")]
        if len(before) != 1:
            raise ConfigError(
                "--objectives all needs a baseline: name it first, as in --objectives NAME,all"
            )
    # A composed baseline has some of the terms already.
    own = parts_of(before[0])
    joined = [f"{before[0]}{JOINT}{term}" for term in registry.terms if term not in own]
    after = named[named.index(ALL) + 1 :]
    return tuple(dict.fromkeys([*before, *registry.objectives, *joined, *after]))


def _named_layers(arguments: argparse.Namespace) -> tuple[list[Layer], list[str]]:
    """Preset and study file as far as they are named, lowest first, and what to call them."""
    layers, sources = [], []
    if arguments.preset:
        layers.append(preset_layer(arguments.preset))
        sources.append(f"preset {arguments.preset}")
    if arguments.config:
        layers.append(file_layer(arguments.config))
        sources.append(f"study file {arguments.config}")
    return layers, sources


def _run_folder(arguments: argparse.Namespace, flags: Layer) -> Path:
    """``--out``, or a folder below runs/, named after ``--name``, the file, the preset or the words.

    Where the machine chooses the preset, other objectives or another budget are another study, so
    these make the name.
    """
    if arguments.out:
        return Path(arguments.out)
    own = arguments.config.stem if arguments.config else arguments.preset
    name = str(arguments.name or own or _name_of(flags))
    if Path(name).name != name or name in {".", ".."}:
        raise ConfigError(f"--name {name!r} is not a plain name; give a folder with --out")
    return Path("runs") / name


def _name_of(flags: Layer) -> str:
    """A folder's name from objectives and budget, such as "mlm-taco-100k-steps"."""
    names = list(_names(flags))
    if len(names) > _MOST_NAMED:
        names = [names[0], "and", str(len(names) - 1), "others"]
    words = "-".join([*names, *([str(flags["budget"])] if "budget" in flags else [])])
    return re.sub(r"[^\w.+-]+", "-", words) or "study"


def _require_objectives(layer: Layer) -> None:
    if not layer.get("objectives"):
        raise ConfigError("no objectives: name them with --objectives A,B, the baseline first")


def _check_names(whole: Layer, known: KnownPlugins) -> None:
    for kind, names in (
        ("objective", whole.get("objectives")),
        ("suite", _table(whole, "evaluation").get("suites")),
        ("plugin", list(_table(whole, "options"))),
    ):
        # Anything but a list of names is left to the study's own check.
        if isinstance(names, list | tuple):
            for name in filter(lambda name: isinstance(name, str), names):
                known.require(kind, name)


def _names(layer: Layer) -> Sequence[str]:
    """The objectives that a layer names; anything but a list of names is left to the study."""
    names = layer.get("objectives")
    return tuple(names) if isinstance(names, list | tuple) else ()


def _table(layer: Layer, name: str) -> dict[str, Any]:
    table = layer.get(name)
    return table if isinstance(table, dict) else {}


def _flag_layer(arguments: argparse.Namespace) -> Layer:
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
