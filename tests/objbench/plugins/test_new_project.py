"""What ``objbench new`` makes is a plugin that loads, passes its own test, and is checked at once."""

import ast
import os
import subprocess
import sys
import tomllib

import pytest

from objbench.cli.main import main
from objbench.errors import ConfigError
from objbench.plugins.conformance import checks
from objbench.plugins.loading import load_plugins
from objbench.plugins.new_project import write_project

QUICK = {
    "finite scalar losses",
    "named terms add up",
    "gradient reaches the encoder",
    "inputs unchanged",
    "corruption fits",
    "same streams, same loss",
    "smallest batches",
    "declared FLOPs are counted",
}


def install(folder):
    """What ``pip install -e`` leaves, read from the project's own pyproject.toml."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["objbench"]
    lines = [f"{name} = {module}" for name, module in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[objbench]", *lines, ""]))


@pytest.fixture
def made(tmp_path, monkeypatch, capsys):
    """The folder of a new project, installed."""
    folder = tmp_path / "mine"
    assert main(["new", "half_words", "--dir", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert f"pip install -e {folder}" in printed
    assert "objbench run --objectives mlm,half_words --preset demo" in printed
    install(folder)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("objbench_half_words", None)


def test_it_is_complete_and_nothing_is_left_to_fill_in(made):
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert {f for f in files if "dist-info" not in f} == {
        "pyproject.toml",
        "README.md",
        "objbench_half_words.py",
        "tests/test_objbench_half_words.py",
    }
    for path in made.rglob("*.*"):
        assert path.is_dir() or "{{" not in path.read_text()


def test_it_loads_as_a_foreign_plugin(made):
    registry = load_plugins(only={"half_words"})
    assert registry.broken == ()
    assert str(registry.origin("half_words")) == "objbench-half-words 0.1.0"
    assert registry.objective("half_words").__name__ == "HalfWords"


def test_its_own_test_passes_and_its_code_is_clean(made):
    def succeeds(*words):
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=made,
            env={**os.environ, "PYTHONPATH": str(made)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert "5 passed" in succeeds("pytest", "-q")
    succeeds("ruff", "check", "--isolated", "--line-length", "100", "--select", "E,F,I,B,UP")
    succeeds("ruff", "format", "--isolated", "--line-length", "100", "--check")


def test_it_is_planned_beside_the_baseline(made, tmp_path, capsys):
    words = ["run", "--objectives", "mlm,half_words", "--preset", "demo", "--dry-run"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "half_words.seed-0" in capsys.readouterr().out


def test_it_is_checked_and_the_report_is_readable(made, monkeypatch, capsys):
    chosen = tuple(check for check in checks.CHECKS if check.name in QUICK)
    monkeypatch.setattr(checks, "CHECKS", chosen)
    assert main(["check", "half_words"]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first.startswith("half_words: demo encoder, batches of 16 x 32 tokens")
    assert [line.split()[0] for line in lines] == ["ok"] * len(QUICK)
    assert last.startswith(f"{len(QUICK)} ok, 0 failed, 0 skipped in ")


def test_a_fault_is_told_with_its_meaning_and_remedy(made, monkeypatch, capsys):
    source = made / "objbench_half_words.py"
    text = source.read_text()
    source.write_text(
        text.replace("        words =", "        batch.input_ids[:, 1:] = 9\n        words =")
    )
    chosen = tuple(check for check in checks.CHECKS if check.name in QUICK)
    monkeypatch.setattr(checks, "CHECKS", chosen)
    assert main(["check", "half_words"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("failed  inputs unchanged"))
    assert "changes the batch's input_ids in place" in lines[at]
    assert lines[at + 1].strip().startswith("meaning: ")
    assert lines[at + 2].strip().startswith("to fix: create new tensors")


def test_a_fault_of_every_step_is_told_once(made, monkeypatch, capsys):
    source = made / "objbench_half_words.py"
    text = source.read_text()
    source.write_text(text.replace("        words =", "        return batch\n        words ="))
    chosen = tuple(check for check in checks.CHECKS if check.name in QUICK)
    monkeypatch.setattr(checks, "CHECKS", chosen)
    assert main(["check", "half_words"]) == 1
    printed = capsys.readouterr().out
    assert "failed  finite scalar losses          TypeError: corrupt of half_words ret" in printed
    alike = printed.count("  as 'finite scalar losses'\n")
    assert alike >= 4
    assert printed.count("to fix: ") == len(QUICK) - alike


@pytest.mark.slow
def test_it_passes_every_check(made, capsys):
    assert main(["check", "half_words", "--against", "mlm"]) == 0
    printed = capsys.readouterr().out
    assert ", 0 failed, " in printed.splitlines()[-1]
    assert "of mlm: " in printed


@pytest.mark.parametrize("name", ["Half", "1st", "half-masked", "", "class", "a b", "_a"])
def test_a_name_that_will_not_do_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="cannot be the name of a plugin"):
        write_project(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "kind", "made"),
    [
        ("none", "objective", "NoneObjective"),
        ("config_error", "objective", "ConfigErrorObjective"),
        ("batch", "objective", "BatchObjective"),
        ("path", "suite", "PathSuite"),
        ("true", "suite", "TrueSuite"),
    ],
)
def test_a_class_is_called_as_nothing_else_in_its_files(name, kind, made, tmp_path):
    _, _, module, test = write_project(name, tmp_path / "new", kind)
    assert f"class {made}(" in module.read_text()
    for path in (module, test):
        imports = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)
        ]
        foreign = {alias.name for n in imports if n.module != module.stem for alias in n.names}
        assert foreign and made not in foreign


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "new").mkdir()
    with pytest.raises(ConfigError, match="already exists"):
        write_project("mine", tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.fixture
def made_suite(tmp_path, monkeypatch, capsys):
    """The folder of the project of a new suite, installed."""
    folder = tmp_path / "mine"
    assert main(["new", "--suite", "near_words", "--dir", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "objbench check near_words\n" in printed
    assert "--objectives mlm,taco --preset demo --suites near_words --name near_words" in printed
    install(folder)
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("objbench_near_words", None)


def test_a_new_suite_loads_passes_its_own_test_and_is_clean(made_suite):
    registry = load_plugins(only={"near_words"})
    assert registry.broken == ()
    assert registry.suite("near_words").__name__ == "NearWords"
    description = tomllib.loads((made_suite / "pyproject.toml").read_text())["project"][
        "description"
    ]
    assert description == "The suite near_words, for objbench"
    for words, expected in (
        (["pytest", "-q"], "4 passed"),
        (["ruff", "check", "--isolated", "--line-length=100", "--select=E,F,I,B,UP"], "passed"),
        (["ruff", "format", "--isolated", "--line-length=100", "--check"], "already formatted"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=made_suite,
            env={**os.environ, "PYTHONPATH": str(made_suite)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert expected in ended.stdout


def test_a_new_suite_passes_every_check(made_suite, capsys):
    assert main(["check", "near_words"]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "near_words: an untrained encoder of the preset demo, on the CPU"
    skipped = [line for line in lines if not line.startswith("ok")]
    assert len(skipped) == 1 and "nothing can be tuned by it" in skipped[0]
    assert ", 0 failed, 1 skipped in " in last


HEAVY = {"torch", "transformers", "datasets", "pandas", "tokenizers", "accelerate", "evaluate"}

USAGE_ERRORS = [
    (["new"], "required: NAME"),
    (["new", "mlm"], "'mlm' is already the name of a plugin"),
    (["new", "Half"], "'Half' cannot be the name of a plugin"),
    (["new", "mine", "--dir", "."], ". already exists"),
    (["new", "all"], "'all' stands for every objective of a study; choose another name"),
    (["new", "--suite", "suites"], "a module objbench_suites is installed already"),
    (["new", "mine", "--dir", "s3://bucket/mine"], "is an address; name a path on this machine"),
    (["check", "tacoo"], "unknown objective 'tacoo'; did you mean 'taco'?"),
    (["check", "tc"], "'tc' is a term, not an objective; check it as part of one, as in OBJ"),
    (["check", "glue", "--against", "mlm"], "--against is for objectives, and glue is a suite"),
    (["check", "glue", "--compile"], "--compile is for objectives, and glue is a suite"),
    (["check", "glue", "--set", "mlm.rate=1"], "this command is about glue; leave the option out"),
    (["check", "mlm", "--preset", "dem"], "unknown preset 'dem'; did you mean 'demo'?"),
    (["check", "mlm", "--against", "mlmm"], "unknown objective 'mlmm'; did you mean 'mlm'?"),
    (["check", "mlm", "--set", "mlm.rat=1"], "unknown option 'rat' of mlm; did you mean 'rate'?"),
    (["check", "mlm", "--set", "taco.weight=1"], "this command is about mlm; leave the option out"),
    (["check", "mlm", "--compil"], "unknown option '--compil'; did you mean '--compile'?"),
    (["show", "tacoo"], "unknown plugin or preset 'tacoo'; did you mean 'taco'?"),
    (["show", "deom"], "unknown plugin or preset 'deom'; did you mean 'demo'?"),
    (["show", "rtd+tcc"], "unknown term 'tcc'; did you mean 'tc'?"),
    (["show", "mlm", "--preset", "dem"], "unknown preset 'dem'; did you mean 'demo'?"),
]


@pytest.mark.parametrize(("words", "message"), USAGE_ERRORS)
def test_a_usage_error_is_one_line_and_exit_code_2(words, message, command_line):
    assert message in command_line.refusal(words)


def test_help_and_usage_errors_import_nothing_heavy(command_line):
    cases = [[command, "--help"] for command in ("new", "check", "show")]
    cases += [words for words, _ in USAGE_ERRORS]
    codes, modules = command_line.codes_and_modules(cases)
    assert codes == [0] * 3 + [2] * len(USAGE_ERRORS)
    assert not HEAVY & modules
