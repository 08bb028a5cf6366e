"""``objbench presets``: the presets that ship, with what one pretraining of each takes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from objbench.cli import arguments as read
from objbench.cli.chosen_study import ALL, every_objective
from objbench.cli.columns import for_terminal
from objbench.cli.parser import Parser
from objbench.cli.plugin_arguments import load
from objbench.cli.terminal import say
from objbench.study.files import preset_layer, presets

if TYPE_CHECKING:
    from objbench.study.study import Study

SUMMARY = "List the presets: encoder, batch, budget, parameters, tokens, FLOPs and hours."
EPILOG = """\
One pretraining of the baseline, masked language modelling. FLOPs are counted from shapes; hours are
these FLOPs at the share of the device's peak that objbench plan assumes. objbench show PRESET prints
all settings of one, and objbench plan what a whole study takes.

examples:
  objbench presets
  objbench presets --device 4090
  objbench show demo
"""
DEVICE = "h100"


def add_arguments(parser: Parser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--device",
        type=read.reading(read.one_of(read.TABLE)),
        default=DEVICE,
        metavar="{" + ",".join(read.TABLE) + "}",
        help="device that hours are of (default: %(default)s)",
    )


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the table."""
    rows = [preset_row(name, arguments.device) for name in presets()]
    titles = tuple(title.upper() for title in rows[0])
    say(for_terminal([titles, *(tuple(row.values()) for row in rows)]))
    return 0


def preset_row(name: str, device: str = DEVICE) -> dict[str, str]:
    """A preset in words: title -> text."""
    from objbench.contract.composition import configured
    from objbench.engine.measuring.objective_size import size_of
    from objbench.judge.formatting import amount
    from objbench.results.step_cost import StepCost
    from objbench.runs.forecast.devices import named_device
    from objbench.runs.forecast.expected_steps import vocabulary_size
    from objbench.study.budget import baseline_steps, parse_budget

    registry = load()
    baseline = registry.objective(every_objective((ALL,), registry)[0])
    study = _study(name, baseline.name)
    training, length = study.training, study.data.length
    size = size_of(
        baseline, configured(baseline, {}), study.encoder, vocabulary_size(study), length, training
    )
    step = StepCost(flops=size.flops, tokens=training.batch * length, seconds=None, rate=None)
    steps = baseline_steps(parse_budget(study.budget), step)
    own, config = named_device(device), study.encoder.config
    rate = own.peak(training.precision) * own.share(name)
    shape = f"{config.get('num_hidden_layers')} x {config.get('hidden_size')}"
    return {
        "preset": name,
        "encoder": f"{study.encoder.model_type} {shape}",
        "batch": f"{training.batch} x {length}",
        "budget": study.budget,
        "parameters": amount(size.encoder),
        "tokens": amount(steps * step.tokens),
        "flops": amount(steps * step.flops),
        f"hours ({device})": _hours(steps * step.flops / rate / 3600),
    }


def preset_text(name: str) -> str:
    """All settings of a preset, defaults included, below what one pretraining takes."""
    from objbench.study.toml_text import settings_toml

    row = preset_row(name)
    sizes = ", ".join(f"{title} {text}" for title, text in row.items() if title != "preset")
    # What a preset leaves to the study.
    settings = _study(name, "any").model_dump(
        exclude={"objectives", "seeds", "looks", "options", "overrides"}
    )
    return f"# preset {name}: {sizes}\n\n{settings_toml(settings)}"


def _study(name: str, objective: str) -> Study:
    from objbench.study.study import build_study

    return build_study([preset_layer(name), {"objectives": [objective]}], f"preset {name}")


def _hours(hours: float) -> str:
    if hours < 0.01:
        return "<0.01"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
