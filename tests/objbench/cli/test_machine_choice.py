"""A run without a preset: what the machine decides, what is said first, and where it goes."""

import shutil

import pytest

from objbench.cli import machine_choice as machine
from objbench.cli.chosen_study import chosen_study
from objbench.cli.main import main, parse
from objbench.results.run_folder import RunFolder

LINE = ["run", "--objectives", "mlm,taco", "--budget"]
GPU = machine.Gpu("NVIDIA H100", 80 * 2**30, has_bfloat16=True)


@pytest.fixture
def on(monkeypatch, tmp_path, remembered_plugins):
    """(gpu, why the hub is out of reach, words) -> what is chosen, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def choose(gpu, unreachable="", words=(*LINE, "100k-steps")):
        monkeypatch.setattr(machine, "find_gpu", lambda device: gpu)
        monkeypatch.setattr(machine, "why_unreachable", lambda corpus: unreachable)
        return chosen_study(parse(list(words)))

    return choose


def test_the_command_runs_in_an_empty_folder(tmp_path, monkeypatch, capsys, remembered_plugins):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "find_gpu", lambda device: None)
    # The line itself, but for what only makes it take seconds.
    quick = ["--suites", "heldout", "--eval-points", "1", "--jobs", "1"]
    assert main([*LINE, "60-steps", *quick]) == 0
    printed = capsys.readouterr()
    first, second, third, *rest = printed.err.splitlines()
    assert first == "no --preset is given: preset demo, because there is no GPU"
    assert second.startswith(
        "corpus toy (a generated language, no download); encoder modernbert, 2"
    )
    assert "run folder runs/mlm-taco-60-steps (--name); choose otherwise with --preset" in third
    (each,) = [line for line in rest if line.startswith("each pretraining: ")]
    assert "mlm 60 steps, " in each and "FLOPs" in each
    (left,) = [line for line in rest if line.startswith("2 pretrainings left: ")]
    assert "FLOPs, " in left and " tokens, about " in left
    assert any("of disk for 2 encoders" in line for line in rest)
    assert printed.out.startswith("taco against mlm at equal FLOPs")
    folder = tmp_path / "runs" / "mlm-taco-60-steps"
    assert (folder / "leaderboard" / "README.md").is_file()

    # Another study in its place is refused, also by a dry run, and nothing is touched.
    before = (folder / "plan.json").read_bytes()
    for more in ([], ["--dry-run"]):
        assert main([*LINE, "70-steps", *quick, "--name", folder.name, *more]) == 2
        refusal = capsys.readouterr().err.splitlines()[-1]
        assert "runs/mlm-taco-60-steps holds another study (budget 60-steps, here 70" in refusal
        assert "--name NAME or --out DIR" in refusal
    assert (folder / "plan.json").read_bytes() == before
    shutil.rmtree(folder)


def test_without_a_gpu_it_is_the_toy_language_or_the_named_text(on):
    chosen = on(None)
    assert (chosen.study.preset, chosen.study.data.corpus) == ("demo", "toy")
    assert str(chosen.run) == "runs/mlm-taco-100k-steps"
    named = on(None, words=[*LINE, "1k-steps", "--corpus", "texts"])
    assert (named.study.preset, named.study.data.corpus) == ("tiny", "texts")


def test_a_gpu_gets_text_from_the_hub_or_the_toy_language_with_the_reason(on):
    chosen = on(GPU)
    assert (chosen.study.preset, chosen.study.data.corpus) == ("mini", machine.CORPUS)
    assert chosen.study.training.precision == "bf16"
    away = on(GPU, "no route to host")
    assert (away.study.preset, away.study.data.corpus) == ("demo", "toy")
    lines = machine.described(away.by_machine, away.study, away.run)
    assert lines[0].endswith("because the hub is out of reach: no route to host")


def test_a_gpu_that_is_small_or_old_is_allowed_for(on):
    assert on(machine.Gpu("small", 4 * 2**30, True)).study.preset == "demo"
    old = on(machine.Gpu("old", 16 * 2**30, False))
    assert (old.study.preset, old.study.training.precision) == ("mini", "fp16")


def test_a_study_that_was_begun_keeps_its_preset_whatever_the_hub_answers(on, tmp_path, make_study):
    plan = make_study().plan
    begun = plan.model_copy(update={"study": {**plan.study, "preset": "demo"}})
    RunFolder(tmp_path / "runs" / "mlm-taco-100k-steps").write_plan(begun)
    assert on(GPU).study.preset == "demo"


def test_a_named_preset_or_file_is_what_it_is(on, tmp_path):
    assert on(GPU, words=[*LINE, "1k-steps", "--preset", "demo"]).by_machine is None
    (tmp_path / "mine.toml").write_text('[data]\ncorpus = "toy"\n')
    chosen = on(GPU, words=[*LINE, "1k-steps", "--config", "mine.toml"])
    assert (chosen.by_machine, chosen.study.preset, str(chosen.run)) == (None, None, "runs/mine")


@pytest.mark.parametrize(
    ("objectives", "name"),
    [("mlm,rtd+tc", "mlm-rtd+tc"), ("mlm,taco,wwm,span,rtd", "mlm-and-4-others"), ("all", "all")],
)
def test_objectives_name_the_folder(on, objectives, name):
    assert str(on(None, words=["run", "--objectives", objectives]).run) == f"runs/{name}"
