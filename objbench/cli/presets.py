"""``objbench presets``: the presets that ship, with what one pretraining of each takes."""

from __future__ import annotations

import argparse

from objbench.cli.columns import for_terminal
from objbench.cli.parser import Parser
from objbench.cli.terminal import say

SUMMARY = "List the presets: encoder, batch, budget, parameters, tokens, FLOPs and hours."
EPILOG = """\
One pretraining of masked language modelling. FLOPs are counted from shapes, to about 2%; hours are
these FLOPs at the two rates named, which no machine is promised to have. objbench show PRESET prints
all settings of one.

examples:
  objbench presets
  objbench show demo
"""
RATES = {"hours at 0.1 TFLOP/s": 1e11, "hours at 100 TFLOP/s": 1e14}
"""About what two CPU cores do in float32, and what one large GPU may do in bfloat16."""


def add_arguments(parser: Parser) -> None:
    """Declare no arguments."""


def main(arguments: argparse.Namespace, words: list[str]) -> int:
    """Print the table."""
    from objbench.study.files import presets

    rows = [preset_row(name) for name in presets()]
    say(
        for_terminal(
            [tuple(title.upper() for title in rows[0]), *(tuple(r.values()) for r in rows)]
        )
    )
    return 0


def preset_row(name: str) -> dict[str, str]:
    """A preset in words: title -> text."""
    from objbench.engine.measuring.preset_size import preset_size
    from objbench.judge.formatting import amount
    from objbench.study.files import preset_layer
    from objbench.study.study import build_study

    # No objective is trained; a study has at least one.
    study = build_study([preset_layer(name), {"objectives": ["any"]}], f"preset {name}")
    size, config = preset_size(study), study.encoder.config
    shape = f"{config.get('num_hidden_layers')} x {config.get('hidden_size')}"
    return {
        "preset": name,
        "encoder": f"{study.encoder.model_type} {shape}",
        "batch": f"{study.training.batch} x {study.data.length}",
        "budget": study.budget,
        "parameters": amount(size.parameters),
        "tokens": amount(size.tokens),
        "flops": amount(size.flops),
        **{title: f"{size.flops / rate / 3600:.2g}" for title, rate in RATES.items()},
    }


def preset_text(name: str) -> str:
    """All settings of a preset, defaults included, below what one pretraining takes."""
    from objbench.study.files import preset_layer
    from objbench.study.study import build_study
    from objbench.study.toml_text import settings_toml

    study = build_study([preset_layer(name), {"objectives": ["any"]}], f"preset {name}")
    settings = study.model_dump(exclude={"objectives", "seeds", "looks", "options", "overrides"})
    row = preset_row(name)
    sizes = ", ".join(f"{title} {text}" for title, text in row.items() if title != "preset")
    return f"# preset {name}: {sizes}\n\n{settings_toml(settings)}"
