"""``objbench presets`` and ``show PRESET``: sizes that a real step confirms, and every setting."""

import tomllib

import pytest

from objbench.cli.main import main
from objbench.cli.presets import preset_row
from objbench.engine.measuring.preset_size import preset_size
from objbench.judge.formatting import amount
from objbench.study.files import preset_layer, presets
from objbench.study.study import build_study


def study_of(name, **changes):
    return build_study([preset_layer(name), {"objectives": ["mlm"], **changes}], name)


def test_every_preset_is_a_line(capsys):
    assert main(["presets"]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split()[:3] == ["PRESET", "ENCODER", "BATCH"]
    assert [line.split()[0] for line in lines] == list(presets())
    (small,) = (line for line in lines if line.startswith("small "))
    # TACO's small encoder, 1,024 sequences of 256 tokens for 250k steps.
    for text in ("bert 4 x 512", "1024 x 256", "250k-steps", "28.5M", amount(1024 * 256 * 250e3)):
        assert text in small


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        # As `objbench show mlm --preset NAME` counts them on a real step, of one sequence.
        ("base", 1.43e11),
        pytest.param("demo", None, id="demo, counted here"),
        pytest.param("demo-bert", None, id="demo-bert, counted here"),
    ],
)
def test_the_flops_are_those_of_a_real_step(name, flops, capsys):
    study = study_of(name)
    size = preset_size(study)
    if flops is None:
        assert main(["show", "mlm", "--preset", name]) == 0
        line = capsys.readouterr().out.splitlines()[-1]
        flops = float(line.split()[1]) / study.training.batch
    assert size.flops / size.steps / study.training.batch == pytest.approx(flops, rel=0.02)


def test_hours_are_flops_by_the_rate():
    row = preset_row("small")
    flops = preset_size(study_of("small")).flops
    assert float(row["hours at 100 TFLOP/s"]) == pytest.approx(flops / 3.6e17, rel=0.05)


def test_budgets_on_other_axes():
    per_step = preset_size(study_of("demo")).flops / 1000
    assert preset_size(study_of("demo", budget="1M-tokens")).steps == 10**6 // 1024
    assert preset_size(study_of("demo", budget=f"{10.5 * per_step}-flops")).steps == 10


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
    for words in (["--set", "mlm.rate=0.3"], ["--against", "mlm"]):
        assert "demo is a preset: leave out" in command_line.refusal(["show", "demo", *words])
