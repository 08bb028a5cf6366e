"""``objbench show``: what a plugin is, its options, and what an objective costs with a preset."""

from __future__ import annotations

import argparse
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from objbench.cli import arguments as read
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import (
    add_plugin_arguments,
    check_names,
    known_plugins,
    load,
)
from objbench.cli.presets import preset_text
from objbench.cli.terminal import say
from objbench.contract.composition import Composition, configured
from objbench.contract.options import configure
from objbench.errors import ConfigError, ObjbenchError, UnknownNameError, one_line
from objbench.plugins.registry import HINT
from objbench.study.files import preset_layer, presets

if TYPE_CHECKING:
    from objbench.engine.measuring.objective_size import Size
    from objbench.plugins.registry import Registry

SUMMARY = "Show an objective, term or suite: what it is, its options, the cost of an objective; or a preset."
EPILOG = """\
FLOPs are counted over the forward and backward pass of a step, on tensors without numbers.

examples:
  objbench show taco --against mlm
  objbench show glue
  objbench show demo
"""
PRESET = "small"

_WIDTH = 100
_INDENT = "  "


def add_arguments(parser: Parser) -> None:
    """Declare the arguments."""
    add_plugin_arguments(parser, "objective, term, suite or preset to show", PRESET)
    parser.add_argument("--against", metavar="NAME", help="objective to compare the FLOPs with")


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the description of the plugin, or the settings of the preset."""
    if arguments.name in presets() and arguments.name not in known_plugins().names:
        if arguments.set or arguments.against or arguments.preset != PRESET:
            raise ConfigError(
                f"{arguments.name} is a preset: leave out --preset, --set and --against"
            )
        say(preset_text(arguments.name), end="")
        return 0
    names = [arguments.name, *([arguments.against] if arguments.against else [])]
    try:
        check_names(names, arguments.set, any_kind=True)
    except UnknownNameError as error:
        if error.name != arguments.name:
            raise
        known = [*known_plugins().names, *presets()]
        raise UnknownNameError("plugin or preset", error.name, known, HINT) from error
    preset_layer(arguments.preset)
    registry = load(set(names))
    options = read.options_of(arguments.set)
    if arguments.name in registry.suites:
        cls: Any = registry.suites[arguments.name]
        parts = [_what(registry, cls), *_protocol(cls, options), _options(cls)]
    elif arguments.name in registry.terms:
        cls = registry.terms[arguments.name]
        parts = [_what(registry, cls), _options(cls)]
    else:
        kind = registry.objective(arguments.name)
        classes = kind.parts if isinstance(kind, Composition) else (kind,)
        parts = [text for cls in classes for text in (_what(registry, cls), _options(cls))]
        parts.append(_cost(registry, names, arguments, options))
    say("\n\n".join(parts))
    return 0


def _what(registry: Registry, cls: Any) -> str:
    kind = next(kind for kind, classes in registry.by_kind.items() if cls.name in classes)
    lines = [f"{cls.name}: {kind} of {registry.origin(cls.name)}", cls.summary]
    reference = getattr(cls, "reference", "")
    texts = [("\n".join(lines))]
    # Not inspect.getdoc: a class without a docstring would show the contract's.
    texts += [inspect.cleandoc(it.__doc__) for it in (cls, inspect.getmodule(cls)) if it.__doc__]
    if reference:
        texts.append(f"reference: {reference}")
    return "\n\n".join(texts)


def _options(cls: Any) -> str:
    from objbench.plugins.option_docs import plugin_options

    found = plugin_options(cls.Config)
    if not found:
        return "options: none"
    lines = [f"options (--set {cls.name}.NAME=VALUE):"]
    for option in found:
        lines.append(f"{_INDENT}{option.name} = {option.default}  ({option.type})")
        lines += textwrap.wrap(
            option.meaning, _WIDTH, initial_indent=_INDENT * 3, subsequent_indent=_INDENT * 3
        )
    return "\n".join(lines)


def _protocol(cls: Any, options: dict[str, dict[str, Any]]) -> list[str]:
    """The protocol and the tasks of a suite with these options."""
    from objbench.contract.suite import Suite

    if not issubclass(cls, Suite):
        return ["compares the curves of another suite's scores over the budget"]
    suite = cls(configure(cls, options.get(cls.name, {})))
    try:
        lines = [f"protocol: {suite.protocol}", f"tasks: {', '.join(suite.tasks())}"]
        lines += [f"left out: {task}: {why}" for task, why in suite.missing().items()]
    except ObjbenchError as error:
        lines = [f"tasks: {one_line(error)}"]
    return ["\n".join(lines)]


def _cost(
    registry: Registry,
    names: list[str],
    arguments: argparse.Namespace,
    options: dict[str, dict[str, Any]],
) -> str:
    """Parameters and FLOPs with the preset, and the ratio to another objective's."""
    from objbench.engine.measuring.objective_size import size_of
    from objbench.runs.forecast.expected_steps import vocabulary_size
    from objbench.study.study import build_study

    layers = [preset_layer(arguments.preset), {"objectives": names[:1]}]
    study = build_study(layers, f"preset {arguments.preset}")
    words, length = vocabulary_size(study), study.data.length
    sizes = []
    for name in names:
        kind = registry.objective(name)
        config = configured(kind, options)
        sizes.append(size_of(kind, config, study.encoder, words, length, study.training))
    lines = [f"at preset {arguments.preset} ({words:,} words, sequences of {length} tokens):"]
    lines += [f"{_INDENT}{line}" for line in _size_lines(sizes[0], study.training.batch)]
    if arguments.against:
        ratio = sizes[0].flops / sizes[1].flops
        lines.append(f"{_INDENT}{ratio:.3f} times the FLOPs of a step of {arguments.against}")
    return "\n".join(lines)


def _size_lines(size: Size, batch: int) -> list[str]:
    heads = [f"head of {term}: {count:,} parameters" for term, count in size.heads.items()]
    outside = (
        [f"outside the terms: {size.outside_terms:,} parameters"] if size.outside_terms else []
    )
    return [
        f"encoder: {size.encoder:,} parameters",
        *heads,
        *outside,
        f"step: {size.flops:.3g} FLOPs ({batch} sequences, {size.flops / batch:.3g} each)",
    ]
