"""``objbench presets`` and ``show PRESET``: the sizes of ``show`` and ``plan``, and every setting."""

import tomllib

import pytest

from objbench.cli.main import main
from objbench.cli.presets import preset_row
from objbench.judge.formatting import amount
from objbench.study.files import preset_layer, presets
from objbench.study.study import build_study


def study_of(name):
    return build_study([preset_layer(name), {"objectives": ["mlm"]}], name)


def test_every_preset_is_a_line(capsys):
    assert main(["presets"]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split()[:3] == ["PRESET", "ENCODER", "BATCH"]
    assert titles.endswith("HOURS (H100)")
    assert [line.split()[0] for line in lines] == list(presets())
    (small,) = (line for line in lines if line.startswith("small "))
    # TACO's small encoder, 1,024 sequences of 256 tokens for 250k steps.
    for text in ("bert 4 x 512", "1024 x 256", "250k-steps", "28.5M", amount(1024 * 256 * 250e3)):
        assert text in small


def test_the_flops_are_those_of_the_formula():
    # Kaplan et al. 2020, with attention in both directions: per token 6 for each weight of a matrix,
    # 12 L T D for attention, and 6 (D + V) D for the head at 15% of the tokens. TACO's small encoder.
    layers, width, inner, length, words = 4, 512, 2048, 256, 30522
    matrices = layers * (4 * width**2 + 2 * width * inner)
    head = 0.15 * (width + words) * width
    per_token = 6 * (matrices + head) + 12 * layers * length * width
    found = float(preset_row("small")["flops"])
    assert found == pytest.approx(per_token * 1024 * 256 * 250_000, rel=0.03)


def test_hours_are_of_the_device():
    h100, a100 = (preset_row("small", name) for name in ("h100", "a100"))
    assert float(a100["hours (a100)"]) > float(h100["hours (h100)"]) > 1
    assert preset_row("demo", "h100")["hours (h100)"] == "<0.01"


def test_a_preset_is_shown_with_all_its_settings(capsys):
    assert main(["show", "small"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("# preset small: encoder bert 4 x 512, batch 1024 x 256")
    settings = tomllib.loads(printed)
    study = study_of("small")
    assert settings["training"]["optimizer"]["epsilon"] == study.training.optimizer.epsilon
    assert settings["evaluation"]["heldout_batches"] == study.evaluation.heldout_batches
    assert build_study([settings, {"objectives": ["mlm"]}], "shown") == study


def test_a_preset_has_no_options(command_line):
    for words in (["--set", "mlm.rate=0.3"], ["--against", "mlm"], ["--preset", "tiny"]):
        assert "demo is a preset: leave out" in command_line.refusal(["show", "demo", *words])
    assert "unknown value 'v100'" in command_line.refusal(["presets", "--device", "v100"])
