"""The command line: every usage error is one line with a guess, exit code 2, and no torch."""

import pytest

from objbench.cli.main import COMMANDS, main

DEMO = ["run", "--objectives", "mlm,taco", "--preset", "demo"]
PLAN = ["plan", *DEMO[1:]]

# Words of the command line -> what the line on stderr must say. None of these loads a plugin.
USAGE_ERRORS = [
    ([], "required: COMMAND"),
    (["runn"], "unknown command 'runn'; did you mean 'run'?"),
    (["--versoin"], "required: COMMAND"),
    (["plugins", "--chek"], "unknown option '--chek'; did you mean '--check'?"),
    (["plugins", "more"], "unexpected argument 'more'"),
    (["leaderboard"], "give a run folder (runs/demo), --index DIR, --across STUDY"),
    (["leaderboard", "nowhere"], "holds no plan.json"),
    (["run"], "no objectives: name them with --objectives"),
    (["run", "--objectives"], "expected one argument"),
    (["run", "--objectives", ","], "no objectives"),
    (["run", "--objectivs", "mlm"], "unknown option '--objectivs'; did you mean '--objectives'?"),
    (["run", "--objective", "mlm"], "unknown option '--objective'"),
    (["run", "--objectives", "mlm,tacoo"], "unknown objective 'tacoo'; did you mean 'taco'?"),
    (["run", "--objectives", "mlm", "--preset", "tinny"], "unknown preset 'tinny'; did you mean"),
    (
        ["run", "--objectives", "mlm", "--preset", "small"],
        "no corpus: name a file or folder of text with --corpus",
    ),
    ([*DEMO, "--suites", "glu"], "unknown suite 'glu'; did you mean 'glue'?"),
    ([*DEMO, "--glu-dir", "x"], "unknown option '--glu-dir'; did you mean '--glue-dir'?"),
    ([*DEMO, "--glue-dir"], "--glue-dir needs a value"),
    ([*DEMO, "--glue-dir", "--dry-run"], "--glue-dir needs a value"),
    (
        [*DEMO, "--glue-dir", "x"],
        "error: --glue-dir is given, but glue has no part in this study: add it to --objectives or",
    ),
    (
        [*DEMO, "--glue-protcol", "taco-2022"],
        "error: --glue-protcol is given, but glue has no part",
    ),
    ([*DEMO, "--set", "tacoo.weight=1"], "unknown plugin 'tacoo'; did you mean 'taco'?"),
    ([*DEMO, "--set", "weight=1"], "'weight=1' is not of the form PLUGIN.OPTION=VALUE"),
    ([*DEMO, "--budget", "100"], "budget '100' cannot be read"),
    ([*DEMO, "--budget", "5-parsecs"], "unknown unit"),
    ([*DEMO, "--budget", "0-steps"], "not a positive amount"),
    ([*DEMO, "--budget", "0.5-steps"], "the budget is too small: 0.5 steps"),
    ([*DEMO, "--budget", "1e30-steps"], "the budget is too large: 1e+30 steps"),
    ([*DEMO, "--budget", "1e300-flops"], "is too large: at most 1e+30 flops"),
    ([*DEMO, "--layers", "1000000000"], "encoder.layers = 1,000,000,000 is too large"),
    ([*DEMO, "--length", "2000000000"], "data.length = 2000000000: "),
    ([*DEMO, "--objectives", "mlm+tc+tc"], "'mlm+tc+tc' names a term twice"),
    ([*DEMO, "--equalize", "flop"], "unknown value 'flop'; did you mean 'flops'?"),
    ([*DEMO, "--schedule", "cosine"], "unknown value 'cosine'"),
    ([*DEMO, "--precision", "bf-16"], "unknown value 'bf-16'; did you mean 'bf16'?"),
    ([*DEMO, "--seeds", "two"], "'two' is neither a number of seeds nor a list"),
    ([*DEMO, "--seeds", "0"], "at least one seed"),
    (
        [*DEMO, "--seeds", "20240101"],
        "asks for 20,240,101 seeds, and at most 1,000 are allowed; for the single seed 20240101 write",
    ),
    ([*DEMO, "--seeds", "9" * 30], "for the single seed 999"),
    ([*DEMO, "--batch", "99999999999"], "--batch: 99999999999 is more than 2,147,483,647"),
    ([*DEMO, "--jobs", "100000"], "--jobs: 100000 is more than 1,024"),
    ([*DEMO, "--seeds", "1,1"], "seed 1 is listed twice"),
    ([*DEMO, "--looks", "5,ten"], "'ten' is not a positive whole number"),
    ([*DEMO, "--looks", ","], "at least one number is needed"),
    ([*DEMO, "--looks", "10,5"], "looks are numbers of seeds, each larger than the one before"),
    ([*DEMO, "--seeds", f"0,{10**18 + 1}"], "seeds.1 = 1000000000000000001"),
    ([*DEMO, "--batch", "0"], "--batch: '0' is not a positive whole number"),
    ([*DEMO, "--batch", "many"], "--batch: 'many' is not a positive whole"),
    ([*DEMO, "--micro-batches", "5"], "does not divide batch"),
    ([*DEMO, "--length", "1"], "data.length = 1"),
    ([*DEMO, "--learning-rate", "1e-3"], "unknown option '--learning-rate'; did you mean '--lr'?"),
    ([*DEMO, "--lr", "-1"], "--lr: '-1' is not a positive number"),
    ([*DEMO, "--lr", "inf"], "--lr: 'inf' is not a positive number"),
    ([*DEMO, "--jobs", "0"], "--jobs: '0' is not a positive"),
    ([*DEMO, "--device", "gpu"], "'gpu' is not a device"),
    ([*DEMO, "--name", "a/b"], "--name 'a/b' is not a plain name"),
    ([*DEMO, "--name", ""], "--name '' is not a plain name"),
    (["run", "--objectives", "mlm", "--preset", ""], "unknown preset ''"),
    ([*DEMO, "--name", "a", "--out", "b"], "not allowed with"),
    ([*DEMO, "--config", "nowhere.toml"], "study file nowhere.toml: No such file"),
    ([*DEMO, "extra"], "unexpected argument 'extra'"),
    # What is known of the plugins from an earlier run.
    (
        [*DEMO, "--set", "taco.temprature=1"],
        "unknown option 'temprature' of taco; did you mean 'temp",
    ),
    ([*DEMO, "--taco-temprature", "1"], "unknown option 'temprature' of taco; did you mean 'temp"),
    (
        [*DEMO, "--taco-temperature", "hot"],
        "error: --taco-temperature = 'hot' does not fit: Input should be",
    ),
    # An option is named as it was typed.
    ([*DEMO, "--mlm-rate=nan"], "error: --mlm-rate = 'nan' does not fit"),
    ([*DEMO, "--set", "mlm.rate=nan"], "error: mlm.rate = 'nan' does not fit"),
    ([*DEMO, "--toy-epochs", "2.5"], "error: --toy-epochs = '2.5' does not fit"),
    # What is named and is not there is told before what is not named.
    (["run", "--tasks", "nowhere.toml"], "--tasks nowhere.toml: there is no such file"),
    (["verify", "--claim", "nowhere.toml"], "claim file nowhere.toml cannot be read"),
    (["verify"], "nothing to verify: name a run folder"),
    (["push", "nowhere"], "nowhere holds no plan.json"),
    (
        [*DEMO, "--suites", "glue", "--glue-dri", "x"],
        "unknown option 'dri' of glue; did you mean 'dir'",
    ),
    (
        ["run", "--objectives", "mlm,glue", "--preset", "demo"],
        "'glue' is a suite, not an objective",
    ),
    (
        [*DEMO, "--suites", "taco"],
        "'taco' is an objective, not a suite: name it with",
    ),
    (["plan"], "no objectives: name them with --objectives"),
    ([*PLAN, "--device", "gpu"], "'gpu' is not a device: write one of h100, h200, a100, 4090, cpu"),
    ([*PLAN, "--device", "h10"], "such as cuda; did you mean 'h100'?"),
    ([*PLAN, "--price-per-hour", "-2"], "--price-per-hour: '-2' is not a positive number"),
    ([*PLAN, "--price-per-hour", "nan"], "'nan' is not a positive number"),
    ([*PLAN, "--print-config"], "--print-config is of objbench run"),
    ([*PLAN, "--difference", "0.5"], "--difference and --deviation are given together"),
    ([*PLAN, "--price", "2"], "unknown option '--price'"),
    ([*PLAN, "--objectives", "mlm,tacoo"], "unknown objective 'tacoo'; did you mean 'taco'?"),
    ([*PLAN, "--glue-dri", "x"], "--glue-dri is given, but glue has no part in this study"),
    ([*PLAN, "--toy-epoch", "2"], "unknown option 'epoch' of toy; did you mean 'epochs'"),
]

# Looking whether it is there may import what reads it.
NOT_THERE = [
    (["run", "--init", "./nowhere"], "checkpoint ./nowhere: no such folder"),
    (["run", "--preset", "demo", "--init", "./nowhere"], "checkpoint ./nowhere: no such folder"),
    (["run", "--corpus", "nowhere"], "corpus nowhere: no such file or folder"),
    (["plan", "--tokenizer", "./nowhere"], "tokenizer ./nowhere: no such folder"),
    (
        ["run", "--objectives", "mlm", "--preset", "small", "--init", "./nowhere"],
        "checkpoint ./nowhere: no such folder",
    ),
]


@pytest.mark.parametrize(("words", "message"), [*USAGE_ERRORS, *NOT_THERE])
def test_a_usage_error_is_one_line_and_exit_code_2(words, message, command_line):
    assert message in command_line.refusal(words)


STUDY_ERRORS = [
    ("[options.taco]\ntemprature = 1", "unknown option 'temprature' of taco; did you mean 'temp"),
    ("[options.taco]\ntemperature = true\nwindow = [5]", "taco.window = [5] does not fit"),
    ('[evaluation]\nsuites = ["toy", "mlm"]', "'mlm' is an objective, not a suite"),
]


def written_study(folder, lines):
    path = folder / "mine.toml"
    path.write_text(f'preset = "demo"\nobjectives = ["mlm", "taco"]\n{lines}\n')
    return path


@pytest.mark.parametrize(("lines", "message"), STUDY_ERRORS)
def test_a_slip_in_a_study_file_is_one_line_too(lines, message, capsys, tmp_path):
    assert main(["run", "--config", str(written_study(tmp_path, lines))]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


HEAVY = {
    *("torch", "transformers", "datasets", "tokenizers", "accelerate", "evaluate"),
    *("numpy", "scipy", "pandas", "pyarrow", "matplotlib"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_into_the_terminal(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([name, "--help"])
    lines = capsys.readouterr().out.splitlines()
    # Examples are kept on one line, to be copied.
    assert [line for line in lines if len(line) > 80 and not line.startswith("  objbench ")] == []


def test_help_and_usage_errors_import_nothing_heavy(command_line, tmp_path):
    cases = [["--help"], ["run", "--help"], ["leaderboard", "--help"], ["plugins", "--help"]]
    cases += [words for words, _ in USAGE_ERRORS]
    for number, (lines, _) in enumerate(STUDY_ERRORS):
        (tmp_path / str(number)).mkdir()
        cases.append(["run", "--config", str(written_study(tmp_path / str(number), lines))])
    codes, modules = command_line.codes_and_modules(cases)
    assert codes == [0] * 4 + [2] * (len(USAGE_ERRORS) + len(STUDY_ERRORS))
    assert not HEAVY & modules


def test_help_and_misspelt_names_and_flags_are_answered_before_pydantic(command_line):
    helped = [["--help"], *([command, "--help"] for command in COMMANDS)]
    refused = [
        *([name, "typo"] for name in ("show", "check")),
        ["run", "--objectives", "mlm,typo"],
        ["run", "--objectives", "mlm+typo"],
        [*DEMO, "--typo", "1"],
        ["typo"],
    ]
    codes, modules = command_line.codes_and_modules(helped + refused)
    assert codes == [0] * len(helped) + [2] * len(refused)
    assert not (HEAVY | {"pydantic"}) & modules


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*DEMO, "--mlm-rate=2"], "options of mlm: rate must be in"),
        (
            [*DEMO, "--taco-anchors", "none"],
            "--taco-anchors = 'none' does not fit: Input should be",
        ),
    ],
)
def test_what_only_a_plugin_knows_is_one_line_too(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1


@pytest.fixture
def handed_over(monkeypatch):
    """What ``objbench run`` hands to the runner, which does not run."""
    from objbench.runs import run_study as runner

    given = {}

    def run_study(study, **settings):
        given.update(settings, study=study)
        return runner.StudyEnd((), complete=True)

    monkeypatch.setattr(runner, "run_study", run_study)
    monkeypatch.setattr("objbench.cli.run.write_and_print", lambda run, **_: None)
    return given


def test_flags_go_over_the_preset(handed_over, tmp_path):
    words = (
        "run --objectives mlm,taco --preset tiny --corpus a/b --tokenizer train:512 --length 32"
        " --batch 16 --micro-batches 2 --lr 3e-4 --schedule constant --precision bf16 --compile"
        " --suites toy --eval-points 3 --max-train-samples 100 --seeds 2 --budget 2k-steps"
        " --equalize seconds --set taco.weight=0.5 --taco-window-rule paper --mlm-rate=0.3"
        f" --out {tmp_path}/here --cache {tmp_path}/cache --jobs 2 --device cpu"
    ).split()
    assert main(words) == 0
    study = handed_over["study"]
    assert study.seeds == (0, 1)
    assert (study.budget, study.equalize) == ("2k-steps", "seconds")
    assert (study.data.corpus, study.data.tokenizer, study.data.length) == ("a/b", "train:512", 32)
    training = study.training
    assert (training.batch, training.micro_batches, training.learning_rate) == (16, 2, 3e-4)
    assert (training.schedule, training.precision, training.compile) == ("constant", "bf16", True)
    evaluation = study.evaluation
    assert (evaluation.suites, evaluation.points) == (("toy",), 3)
    assert evaluation.max_train_samples == 100
    assert study.options["taco"] == {"weight": "0.5", "window_rule": "paper"}
    assert study.options["mlm"] == {"rate": "0.3"}
    assert study.encoder.config["hidden_size"] == 128
    assert study.preset == "tiny"
    assert handed_over["run"] == tmp_path / "here"
    assert handed_over["cache"] == tmp_path / "cache"
    assert (handed_over["jobs"], handed_over["device"]) == (2, "cpu")
    assert handed_over["command"] == "objbench " + " ".join(words)
    assert list(handed_over["registry"].objectives) == ["mlm", "taco"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (0,)), ("3", (0, 1, 2)), ("5,", (5,)), ("7,5", (7, 5))]
)
def test_seeds_are_a_number_or_a_list(handed_over, text, seeds):
    assert main([*DEMO, "--seeds", text]) == 0
    assert handed_over["study"].seeds == seeds


def test_the_run_folder_is_named_after_name_file_or_preset(handed_over, tmp_path):
    study_file = tmp_path / "mine.toml"
    study_file.write_text('preset = "demo"\nobjectives = ["mlm"]\n')
    for words, folder in [
        (DEMO, "runs/demo"),
        ([*DEMO, "--name", "first"], "runs/first"),
        (["run", "--config", str(study_file)], "runs/mine"),
    ]:
        assert main(words) == 0
        assert str(handed_over["run"]) == folder


def test_a_study_file_may_be_changed_by_flags(handed_over, tmp_path):
    study_file = tmp_path / "mine.toml"
    study_file.write_text('preset = "demo"\nobjectives = ["mlm"]\n[options.mlm]\nrate = 0.3\n')
    assert main(["run", "--config", str(study_file), "--seeds", "2"]) == 0
    assert handed_over["study"].options == {"mlm": {"rate": 0.3}}
    assert handed_over["study"].seeds == (0, 1)


def test_an_interrupt_says_how_to_go_on(monkeypatch, capsys):
    from objbench.runs import run_study as runner

    def interrupted(study, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_study", interrupted)
    assert main(DEMO) == 130
    assert capsys.readouterr().err == (
        "objbench: interrupted; run the same command again to continue\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        [*DEMO, "--corpus", "a\n" * 300],
        [*DEMO, "--tokenizer", "a" * 300],
        [*DEMO, "--out", "a" * 300],
        ["run", "--config", "a" * 300],
        ["leaderboard", "a" * 300],
        ["verify", "b/" * 3000],
    ],
    ids=lambda words: " ".join(words)[:60],
)
def test_a_path_that_is_too_long_is_one_line(words, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("objbench: error: ")
    assert error.count("\n") == 1


def test_a_bug_keeps_its_traceback(monkeypatch):
    from objbench.runs import run_study as runner

    def broken(study, **settings):
        raise ZeroDivisionError

    monkeypatch.setattr(runner, "run_study", broken)
    with pytest.raises(ZeroDivisionError):
        main(DEMO)


def test_a_dry_run_prints_the_cells_and_makes_nothing(capsys, tmp_path):
    assert main([*DEMO, "--dry-run", "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "mlm.seed-0" in printed
    assert "taco.seed-0" in printed
    assert not (tmp_path / "run").exists()


def test_plugins_are_listed(capsys):
    assert main(["plugins", "--check"]) == 0
    printed = capsys.readouterr().out
    for name, kind in [("mlm", "objective"), ("taco", "objective"), ("glue", "suite")]:
        assert any(line.split()[:3] == [name, kind, "objbench"] for line in printed.splitlines())


def test_a_broken_plugin_is_listed_and_checked(projects, capsys):
    projects.add("objbench-broken", bad="import nowhere_to_be_found")
    assert main(["plugins"]) == 0
    assert main(["plugins", "--check"]) == 1
    printed = capsys.readouterr().out
    assert "bad  objbench-broken 1.0  ModuleNotFoundError" in printed
    assert main([*DEMO, "--objectives", "mlm,bad"]) == 2
    assert "plugin 'bad' (objbench-broken 1.0)" in capsys.readouterr().err
