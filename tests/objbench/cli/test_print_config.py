"""``objbench run --print-config`` prints a study file that gives the same cells, key by key."""

import pytest

from objbench.cli.main import main
from objbench.plugins.loading import load_plugins
from objbench.results.step_cost import StepCost
from objbench.runs import run_study as runner
from objbench.runs.planning.configured_plugins import configure_plugins
from objbench.runs.planning.planner import make_plan

COMMANDS = [
    "--objectives mlm,taco --preset demo",
    (
        "--objectives mlm,mlm@40,rtd+tc --preset demo --seeds 5, --budget 2k-steps --suites toy,heldout"
        " --set mlm@40.mlm.rate=0.4 --mlm-final-rate none --set rtd+tc.tc.weight=0.5 --toy-tasks polarity"
    ),
    (
        "--objectives mlm --preset demo --encoder bert --layers 1 --width 16 --heads 2 --schedule trunk"
        " --eval-points 3 --eval-spacing geometric --equalize steps --looks 3,5 --lr 1e-3"
    ),
    "--config mine.toml --seeds 1,2 --corpus toy",
]
STUDY = """
preset = "tiny"
objectives = ["mlm", "taco"]
[data]
tokenizer = "train:512"
[training.optimizer]
name = "muon"
[training.optimizer.groups.embeddings]
rate = 0.5
[evaluation]
suites = ["heldout"]
[overrides.taco]
"options.taco.window" = 3
"""


@pytest.fixture
def keys(monkeypatch, tmp_path):
    """(words) -> the keys of all cells of the study that ``objbench run`` is given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(STUDY)
    given = {}

    def run_study(study, **settings):
        given.update(study=study)
        return runner.StudyEnd((), complete=True)

    monkeypatch.setattr(runner, "run_study", run_study)
    monkeypatch.setattr("objbench.cli.run.write_and_print", lambda run, **_: None)
    registry = load_plugins()

    def of(words):
        assert main(["run", *words]) == 0
        cost = StepCost(flops=1e9, tokens=64, seconds=None, rate=None)
        study = given["study"]
        plan = make_plan(
            study,
            configure_plugins(study, registry),
            name="",
            command="",
            data={"key": "0"},
            costs=dict.fromkeys(study.objectives, cost),
            devices=1,
        )
        return {cell.id: cell.key for cell in plan.cells}

    return of


@pytest.mark.parametrize("words", COMMANDS)
def test_the_study_that_is_printed_has_the_same_keys(words, keys, capsys, tmp_path):
    expected = keys(words.split())
    assert main(["run", *words.split(), "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert not (tmp_path / "runs").exists()
    (tmp_path / "printed.toml").write_text(printed)
    assert keys(["--config", "printed.toml"]) == expected


def test_it_is_refused_beside_a_dry_run(command_line):
    words = ["run", "--objectives", "mlm", "--preset", "demo", "--dry-run", "--print-config"]
    assert "not allowed with" in command_line.refusal(words)
