"""The study that preset, study file and flags make together, checked before a plugin is loaded.

Names of objectives, suites and plugins are checked against the package metadata, before pydantic is
imported, so that a misspelt name is reported at once. Options are checked as far as they are known
from an earlier run.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from objbench.cli.initial_checkpoint import with_checkpoint
from objbench.cli.machine_choice import MachineChoice, machine_choice
from objbench.cli.own_tasks import require_tasks, tasks_layer
from objbench.cli.plugin_arguments import known_plugins, load
from objbench.cli.run_place import RunPlace, run_place
from objbench.cli.study_arguments import flag_layer
from objbench.contract.composition import JOINT, LABEL, parts_of, plugins_of
from objbench.errors import ConfigError
from objbench.plugins.known_plugins import KnownPlugins
from objbench.plugins.registry import Registry
from objbench.runs.processes import processes
from objbench.study.files import Layer, file_layer, merge, preset_layer

if TYPE_CHECKING:
    from objbench.study.study import Study

ALL = "all"
# More objectives than this are counted in the name of a run folder.
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class ChosenStudy:
    """What the command line asks for.

    Attributes:
        study: the study.
        run: where it is.
        by_machine: the preset that the machine decided; None where a preset or file was named.
        has_corpus: whether a corpus is named.
    """

    study: Study
    run: RunPlace
    by_machine: MachineChoice | None
    has_corpus: bool = True


def chosen_study(
    arguments: argparse.Namespace, *, needs_corpus: bool = True, above: Layer | None = None
) -> ChosenStudy:
    """The study chosen on the command line.

    Args:
        arguments: the parsed flags of ``objbench run``.
        needs_corpus: whether a study without a corpus is refused.
        above: what is set whatever preset, file and flags say.

    Raises:
        ConfigError: a name or an option is unknown, or something is missing or out of range.
    """
    known = known_plugins()
    for plugin, _, _ in arguments.set:
        known.require("plugin", plugin)
    flags, by_machine = flag_layer(arguments), None
    run = _run_folder(arguments, flags)
    layers, sources = _named_layers(arguments)
    if not layers:
        # Whatever is wrong with the names is reported before the machine is looked at.
        _check_names({**flags, "objectives": [n for n in _names(flags) if n != ALL]}, known)
        _require_objectives(flags, flags, arguments)
        alone = processes() == 1
        by_machine = machine_choice(flags, arguments.device, run.folder, alone=alone)
        layers, sources = [by_machine.layer], [f"preset {by_machine.preset}"]
    layers, sources = [*layers, flags], [*sources, "command line"]
    if above is not None:
        layers, sources = [*layers, above], [*sources, "track"]
    whole: Layer = {}
    for layer in layers:
        whole = merge(whole, layer)
    if ALL in _names(whole):
        layers = [*layers, {"objectives": every_objective(_names(whole), load())}]
        whole = merge(whole, layers[-1])
    if arguments.tasks is not None:
        layers = [*layers, tasks_layer(_table(whole, "evaluation"), arguments.tasks)]
        whole = merge(whole, layers[-1])
    _check_names(whole, known)
    _require_objectives(whole, flags, arguments)
    has_corpus = bool(_table(whole, "data").get("corpus"))
    if needs_corpus and not has_corpus:
        _require_named(flags, arguments)
        raise ConfigError("no corpus: name a file or folder of text with --corpus, or --corpus toy")
    from objbench.study.study import build_study

    whose = [*sources, *["command line"] * (len(layers) - len(sources))]
    study = build_study(with_checkpoint(layers, whose), " + ".join(sources))
    suites = study.evaluation.suites
    for plugin, option, _ in arguments.set:
        if plugin not in {*study.objectives, *plugins_of(study.objectives), *suites}:
            raise ConfigError(
                f"{plugin}.{option} is given, but {plugin} has no part in this study:"
                " add it to --objectives or --suites, or leave the option out"
            )
    known.check_options(study.objectives, suites, study.options)
    return ChosenStudy(study, run, by_machine, has_corpus)


def every_objective(named: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """``named`` with ``all`` replaced by every objective, and the baseline with every term.

    The baseline is what is named before ``all``, or the one objective that declares itself one.
    After it come the other objectives by name, then the baseline with each term that it lacks.

    Args:
        named: names as on the command line, ``all`` among them.
        registry: every plugin, loaded.

    Raises:
        ConfigError: no objective, or more than one, declares itself the baseline; or it has a label.
    """
    before = list(named[: named.index(ALL)])
    if not before:
        # Declared by the class itself: what derives from the baseline is none.
        before = [name for name, cls in registry.objectives.items() if vars(cls).get("is_baseline")]
        if len(before) != 1:
            raise ConfigError(
                "--objectives all needs a baseline: name it first, as in --objectives NAME,all"
            )
    if LABEL in before[0]:
        raise ConfigError(
            f"--objectives {before[0]},{ALL}: the terms join a baseline without a label; name it "
            f"first, as in --objectives {JOINT.join(parts_of(before[0]))},{before[0]},{ALL}"
        )
    # A composed baseline has some of the terms already.
    own = parts_of(before[0])
    joined = [f"{before[0]}{JOINT}{term}" for term in registry.terms if term not in own]
    after = named[named.index(ALL) + 1 :]
    return tuple(dict.fromkeys([*before, *registry.objectives, *joined, *after]))


def _named_layers(arguments: argparse.Namespace) -> tuple[list[Layer], list[str]]:
    """Preset and study file as far as they are named, lowest first, and what to call them."""
    layers, sources = [], []
    if arguments.preset is not None:
        layers.append(preset_layer(arguments.preset))
        sources.append(f"preset {arguments.preset}")
    if arguments.config:
        layers.append(file_layer(arguments.config))
        sources.append(f"study file {arguments.config}")
    return layers, sources


def _run_folder(arguments: argparse.Namespace, flags: Layer) -> RunPlace:
    """``--out``, or a folder below runs/, named after ``--name``, the file, the preset or the words.

    Where the machine chooses the preset, other objectives or another budget are another study, so
    these make the name.
    """
    if arguments.out:
        return run_place(arguments.out, arguments.cache)
    own = arguments.config.stem if arguments.config else arguments.preset
    name = str(own or _name_of(flags)) if arguments.name is None else arguments.name
    if not name or Path(name).name != name or name in {".", ".."}:
        raise ConfigError(f"--name {name!r} is not a plain name; give a folder with --out")
    return RunPlace(Path("runs") / name)


def _name_of(flags: Layer) -> str:
    """A folder's name from objectives and budget, such as "mlm-taco-100k-steps"."""
    names = list(_names(flags))
    if len(names) > _MOST_NAMED:
        names = [names[0], "and", str(len(names) - 1), "others"]
    words = "-".join([*names, *([str(flags["budget"])] if "budget" in flags else [])])
    return re.sub(r"[^\w.+-]+", "-", words) or "study"


def _require_objectives(whole: Layer, flags: Layer, arguments: argparse.Namespace) -> None:
    if not whole.get("objectives"):
        _require_named(flags, arguments)
        raise ConfigError("no objectives: name them with --objectives A,B, the baseline first")


def _require_named(flags: Layer, arguments: argparse.Namespace) -> None:
    """Refuse what the command line names and is not there, before what it does not name at all.

    Where nothing is missing each is looked for where it is read.

    Raises:
        ConfigError, DataError, CheckpointError: it is not there.
    """
    if arguments.tasks is not None:
        require_tasks(arguments.tasks)
    init, data = _table(flags, "encoder").get("init"), _table(flags, "data")
    if isinstance(init, str) and init:
        from objbench.engine.encoder.checkpoint_source import read_checkpoint_source

        read_checkpoint_source(init)
    if isinstance(corpus := data.get("corpus"), str) and corpus:
        from objbench.data.corpus import require_corpus

        require_corpus(corpus)
    if isinstance(tokenizer := data.get("tokenizer"), str) and tokenizer:
        from objbench.data.tokenizer import require_tokenizer

        require_tokenizer(tokenizer)


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
