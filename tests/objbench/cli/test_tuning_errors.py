"""What is wrong with a tuning is one line and exit code 2, before any text is read or step taken."""

import pytest

from objbench.cli.main import main

STUDY = """
objectives = ["mlm", "taco"]
budget = "6-steps"

[encoder.config]
num_hidden_layers = 1
hidden_size = 16
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 32

[data]
corpus = "toy"
tokenizer = "train:400"
length = 16

[training]
batch = 4

[evaluation]
suites = ["toy", "representation", "convergence"]
points = 2

[tuning]
"""

WRONG = [
    (
        'score = "mlmm"',
        "unknown tuning.score 'mlmm' for mlm; did you mean 'mlm'? (known: common, loss, mlm)",
    ),
    # A term that one of the objectives lacks.
    ('score = "tc"', "unknown tuning.score 'tc' for mlm (known: common, loss, mlm)"),
    # A suite, but none of this study; a suite of curves.
    ('score = "glue"', "unknown tuning.score 'glue' for mlm (known: common, loss, mlm)"),
    (
        'score = "convergence"',
        "unknown tuning.score 'convergence' for mlm (known: common, loss, mlm)",
    ),
    ('score = "representation"', "the suite has no average, so nothing can be chosen by it"),
    ('budget = "3-apples"', "unknown unit"),
    ('budget = "0-steps"', "budget '0-steps' is not a positive amount"),
    ('budget = "63-tokens"', "tuning.budget = '63-tokens': the budget is too small"),
    ("seeds = [0]", "tuning seed 0 is one of the study's seeds"),
    ("grid = 3", "tuning.grid = 3"),
    ('[tuning.grid]\n"training.lr" = [1]', "settings of mlm: training.lr: unknown setting 'lr'"),
    ('[tuning.grid]\n"trainin.lr" = [1]', "tuning.grid: 'trainin.lr' cannot be tuned"),
    ('[tuning.grid]\n"training.clip" = 1', "tuning.grid.training.clip = 1: Input should be a list"),
    ('[tuning.grid]\n"training.clip" = []', "at least 1 item"),
    ("[tuning.grid.training]\nclip = [1]", "tuning.grid.training: Input should be a list"),
    ('[tuning.grid]\n"training.learning_rate" = [1e-3, -1]', "training.learning_rate = -1"),
    ('[tuning.grid]\n"training.learning_rate" = ["fast"]', "training.learning_rate = 'fast'"),
    ('[tuning.grid]\n"training.learning_rate" = [nan]', "training.learning_rate = nan"),
    ('[tuning.grid]\n"training.schedule" = ["cosine"]', "training.schedule = 'cosine'"),
    ('[tuning.grid]\n"training.optimizer.beta1" = [2]', "training.optimizer.beta1 = 2"),
    ('[tuning.grid]\n"encoder.config.hidden_sise" = [8]', "did you mean 'hidden_size'?"),
    (
        '[tuning.grid]\n"encoder.config.hidden_size" = [16, 15]',
        "hidden size (15) is not a multiple",
    ),
    # Each value fits by itself, and two of them not together.
    (
        (
            '[tuning.grid]\n"encoder.config.hidden_size" = [16, 18]\n'
            '"encoder.config.num_attention_heads" = [2, 8]'
        ),
        "hidden size (18) is not a multiple of the number of attention heads (8)",
    ),
    ('[tuning.grid]\n"options.mlmm.rate" = [0.1]', "options.mlmm.rate, which is no option of mlm"),
    ('[tuning.grid]\n"options.toy.epochs" = [1]', "options.toy.epochs, which is no option of mlm"),
    # Every trial of mlm would be the same.
    ('[tuning.grid]\n"options.taco.weight" = [1, 2]', "give each objective a grid of its own with"),
    ('[tuning.objectives.taco]\n"options.taco.wieght" = [1]', "did you mean 'weight'?"),
    ('[tuning.objectives.taco]\n"options.taco.weight" = ["x"]', "taco.weight = 'x' does not fit"),
    ('[tuning.objectives.taco]\n"options.mlm.rate" = [0.1]', "no option of taco"),
    ('[tuning.objectives.taco]\n"training.clip" = [-1]', "settings of taco: training.clip = -1"),
    ('[tuning.objectives.taco]\n"training.clip" = [1, 2]', "the same number of trials, not mlm 1"),
    ('[tuning.objectives.rtd]\n"training.clip" = [1]', "tuning names 'rtd'"),
    ("[tuning.objectives]\ntaco = 3", "tuning.objectives.taco = 3: Input should be a table"),
]


@pytest.mark.parametrize(("tuning", "message"), WRONG)
def test_a_wrong_tuning_is_refused_in_one_line_before_anything_is_read(
    tuning, message, tmp_path, monkeypatch, capsys
):
    def read(*_, **__):
        raise AssertionError("the text was opened")

    monkeypatch.setattr("objbench.runs.cells.prepared_study.open_text", read)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.toml").write_text(STUDY + tuning + "\n")
    assert main(["run", "--config", "wrong.toml", "--device", "cpu"]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_an_option_of_a_part_or_of_the_whole_of_a_composition_may_be_tuned(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    grid = '"options.tc.weight" = [0.5, 1.0]\n"options.mlm+tc.tc.temperature" = [0.1, 0.2]\n'
    study = STUDY.replace('["mlm", "taco"]', '["mlm+tc"]')
    (tmp_path / "right.toml").write_text(f'{study}score = "mlm"\n[tuning.grid]\n{grid}')
    assert main(["run", "--config", "right.toml", "--dry-run"]) == 0
    listed = capsys.readouterr().out.splitlines()
    trials = [line.split()[-1] for line in listed if "trial" in line]
    assert trials == [
        f"mlm+tc.trial-{number}{seed}"
        for seed in ("", ".seed-1001", ".seed-1002")
        for number in range(4)
    ]
