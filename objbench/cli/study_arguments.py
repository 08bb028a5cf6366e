"""The study that preset, study file and flags make together, checked as far as no plugin is needed.

Names of objectives, suites and plugins are held against the entry points, which are known without
importing any plugin, and before pydantic is imported; so a misspelt name is answered at once.
Options are held against the plugins' sources, where these tell.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from objbench.cli.arguments import options_of
from objbench.cli.every_objective import ALL, every_objective
from objbench.contract.composition import plugins_of
from objbench.errors import ConfigError
from objbench.plugins.registry import entry_point_names, load_plugins, require_known
from objbench.plugins.source_reading.options import check_plugins
from objbench.study.files import Layer, file_layer, merge, preset_layer

if TYPE_CHECKING:
    from objbench.study.study import Study

DEFAULT_PRESET = "small"

# Flag -> where its value goes in the study.
_PLACES = {
    "objectives": ("objectives",),
    "seeds": ("seeds",),
    "budget": ("budget",),
    "equalize": ("equalize",),
    "corpus": ("data", "corpus"),
    "tokenizer": ("data", "tokenizer"),
    "length": ("data", "length"),
    "batch": ("training", "batch"),
    "micro_batches": ("training", "micro_batches"),
    "lr": ("training", "learning_rate"),
    "schedule": ("training", "schedule"),
    "precision": ("training", "precision"),
    "compile": ("training", "compile"),
    "suites": ("evaluation", "suites"),
    "eval_points": ("evaluation", "points"),
    "eval_spacing": ("evaluation", "spacing"),
    "max_train_samples": ("evaluation", "max_train_samples"),
}


def chosen_study(arguments: argparse.Namespace) -> Study:
    """The study chosen on the command line.

    Args:
        arguments: the parsed flags of ``objbench run``.

    Raises:
        ConfigError: a name or an option is unknown, or something is missing or out of range.
    """
    known = entry_point_names()
    flags = _flag_layer(arguments)
    for plugin, _, _ in arguments.set:
        require_known("plugin", plugin, known)
    layers, sources = _layers(arguments, flags)
    whole: Layer = {}
    for layer in layers:
        whole = merge(whole, layer)
    if ALL in _names(whole):
        layers = [*layers, {"objectives": every_objective(_names(whole), load_plugins())}]
        whole = merge(whole, layers[-1])
    _check_names(whole, known)
    if not whole.get("objectives"):
        raise ConfigError("no objectives: name them with --objectives A,B, the baseline first")
    if not _table(whole, "data").get("corpus"):
        raise ConfigError("no corpus: name a file or folder of text with --corpus, or --corpus toy")
    from objbench.study.study import build_study

    study = build_study(layers, " + ".join(sources))
    taking_part = {
        *study.objectives,
        *plugins_of(study.objectives),
        *study.evaluation.suites,
    }
    for plugin, option, _ in arguments.set:
        if plugin not in taking_part:
            raise ConfigError(
                f"--set {plugin}.{option}: {plugin} has no part in this study;"
                " add it to --objectives or --suites, or leave the option out"
            )
    check_plugins(study.objectives, study.evaluation.suites, study.options)
    return study


def _layers(arguments: argparse.Namespace, flags: Layer) -> tuple[Sequence[Layer], Sequence[str]]:
    """The layers, lowest first, and what to call them in an error."""
    layers, sources = [flags], ["command line"]
    if arguments.config:
        layers.insert(0, file_layer(arguments.config))
        sources.insert(0, f"study file {arguments.config}")
    if arguments.preset or not arguments.config:
        preset = arguments.preset or DEFAULT_PRESET
        layers.insert(0, preset_layer(preset))
        sources.insert(0, f"preset {preset}")
    return layers, sources


def _check_names(whole: Layer, known: Collection[str]) -> None:
    for kind, names in (
        ("objective", whole.get("objectives")),
        ("suite", _table(whole, "evaluation").get("suites")),
        ("plugin", list(_table(whole, "options"))),
    ):
        # Anything but a list of names is left to the study's own check.
        if isinstance(names, list | tuple):
            for name in filter(lambda name: isinstance(name, str), names):
                require_known(kind, name, known)


def _names(layer: Layer) -> Sequence[str]:
    """The objectives that a layer names; anything but a list of names is left to the study."""
    names = layer.get("objectives")
    return tuple(names) if isinstance(names, list | tuple) else ()


def _table(layer: Layer, name: str) -> dict[str, Any]:
    table = layer.get(name)
    return table if isinstance(table, dict) else {}


def _flag_layer(arguments: argparse.Namespace) -> Layer:
    layer: Layer = {}
    for flag, (*sections, name) in _PLACES.items():
        value = getattr(arguments, flag)
        if value is not None:
            table = layer
            for section in sections:
                table = table.setdefault(section, {})
            table[name] = value
    if arguments.set:
        layer["options"] = options_of(arguments.set)
    return layer
