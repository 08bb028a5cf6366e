"""``objbench show``: options with their meaning from the docstring, heads and FLOPs by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from objbench.cli.main import main
from objbench.engine.measuring.objective_size import made_up_vocabulary, size_of
from objbench.plugins.loading import load_plugins
from objbench.plugins.option_docs import PluginOption, attribute_meanings, plugin_options
from objbench.study.settings import EncoderSection, TrainingSection

D, LAYERS, INNER, WORDS, LENGTH = 16, 2, 32, 50, 20
ROWS = 64
TRAINING = TrainingSection(batch=ROWS)
ENCODER = EncoderSection(
    config={
        "hidden_size": D,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INNER,
        "max_position_embeddings": LENGTH,
    }
)


@dataclass(frozen=True, kw_only=True)
class Below:
    """Options.

    Attributes:
        rate: a share, in (0, 1];
            the rest stays.
        low, high: bounds.
    """

    rate: float = 0.5
    low: int | None = None
    high: int | None = 3


@dataclass(frozen=True, kw_only=True)
class Above(Below):
    """More options.

    Attributes:
        kind (str): which kind: "a" or "b".

    Raises:
        ConfigError: never; no option is called "Raises".
    """

    kind: Literal["a", "b"] = "a"
    bare: tuple[str, ...] = ("x",)
    rate: float = 0.25


def test_options_are_the_fields_with_what_the_docstrings_say():
    assert plugin_options(Above) == (
        PluginOption("rate", "float", "0.25", "a share, in (0, 1]; the rest stays."),
        PluginOption("low", "int | None", "None", "bounds."),
        PluginOption("high", "int | None", "3", "bounds."),
        PluginOption("kind", "'a' | 'b'", "'a'", 'which kind: "a" or "b".'),
        PluginOption("bare", "tuple[str, ...]", "('x',)", ""),
    )


@pytest.mark.parametrize("text", ["", "One line.", "One.\n\nArgs:\n    a: b."])
def test_no_attributes_no_meanings(text):
    assert attribute_meanings(text) == {}


def test_every_option_of_every_objective_here_says_what_it_means():
    registry = load_plugins()
    ours = [c for n, c in registry.objectives.items() if registry.origin(n).project == "objbench"]
    silent = [f"{c.name}.{k.name}" for c in ours for k in plugin_options(c.Config) if not k.meaning]
    assert silent == []


def test_the_size_is_the_count_by_hand():
    mlm = load_plugins(only={"mlm"}).objective("mlm")
    size = size_of(mlm, mlm.Config(), ENCODER, WORDS, LENGTH, TRAINING)
    layer = 4 * (D * D + D) + 2 * D * INNER + INNER + D + 4 * D
    assert size.encoder == (WORDS + LENGTH + 2) * D + 2 * D + LAYERS * layer
    assert size.heads == {"mlm": D * D + D + 2 * D + WORDS}
    assert size.outside_terms == 0
    # Of one sequence, forward: projections and attention of each layer, then the head on M slots.
    slots = int(0.15 * LENGTH) + 1
    products = LAYERS * LENGTH * (4 * D * D + 2 * D * INNER + 2 * LENGTH * D)
    products += slots * (D * D + D * WORDS)
    assert size.flops == ROWS * 3 * 2 * products


def test_declared_flops_are_in_the_size():
    taco = load_plugins(only={"taco"}).objective("taco")
    few, many = (
        size_of(taco, taco.Config(negatives=n), ENCODER, WORDS, LENGTH, TRAINING).flops
        for n in (1, 11)
    )
    assert many - few == ROWS * 4 * 10 * LENGTH * D


def test_the_made_up_vocabulary_is_of_the_size_asked_for():
    words = made_up_vocabulary(WORDS)
    assert len(words.tokens) == len(set(words.tokens)) == words.size == WORDS
    assert words.tokens[words.mask] == "[MASK]"
    assert any(token.startswith("##") for token in words.tokens)


def test_an_objective_is_shown(capsys):
    assert main(["show", "taco", "--preset", "demo", "--against", "mlm"]) == 0
    printed = capsys.readouterr().out
    for line in (
        "taco: objective of objbench 0.1.0",
        "reference: Fu et al. 2022, https://arxiv.org/abs/2204.04163",
        "  temperature = 0.07  (float)",
        "      tau, the divisor of the cosine similarities.",
        "at preset demo (1,024 words, sequences of 32 tokens):",
        "  head of tc: 0 parameters",
    ):
        assert line in printed.splitlines()
    assert "times the FLOPs of a step of mlm" in printed


def test_a_suite_is_shown(capsys):
    assert main(["show", "toy", "--set", "toy.epochs=2"]) == 0
    printed = capsys.readouterr().out
    assert "toy: suite of objbench" in printed
    assert "protocol: toy (changed: epochs 2)" in printed
    assert "tasks: acceptability, polarity" in printed
    assert "  epochs = None  (int | None)" in printed


def test_a_curve_suite_is_shown(capsys):
    assert main(["show", "convergence"]) == 0
    assert "compares the curves of another suite" in capsys.readouterr().out


def test_an_objective_without_a_docstring_does_not_show_the_contracts(projects, capsys):
    source = """
        from objbench import Objective, hookimpl
        from objbench.blocks.heads import TokenPrediction
        from objbench.blocks.masking import mask_tokens

        class Bare(Objective):
            name, summary, reference = "bare", "says little", "none"

            def __init__(self, config, encoder_spec):
                super().__init__(config, encoder_spec)
                self.set_terms(TokenPrediction(encoder_spec))

            def corrupt(self, batch, streams):
                return mask_tokens(batch, self.encoder_spec.vocabulary, streams)

        @hookimpl
        def register_objectives(register):
            register(Bare)
    """
    projects.add("objbench-bare", bare=source)
    assert main(["show", "bare", "--preset", "demo"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        "bare: objective of objbench-bare 1.0\nsays little\n\nreference: none"
    )
    assert "options: none" in printed
