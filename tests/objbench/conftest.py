"""What tests of several packages share: the command line, fake projects, the made-up study.

The projects are real metadata and modules in a temporary folder; nothing is installed.
"""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from objbench.cli.main import main
from objbench.cli.plugin_arguments import load

OBJECTIVE = """
    from dataclasses import dataclass
    from objbench import Objective, Suite, CurveSuite, hookimpl

    class Good(Objective):
        name = "{name}"
        summary = "a good objective"
        reference = "none"
        def corrupt(self, batch, streams): ...

    @hookimpl
    def register_objectives(register):
        register(Good)
"""


class Projects:
    """Writes projects to a folder on ``sys.path`` and reads back their entry points."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, project, version="1.0", **modules):
        """A project with one module a plugin: entry name -> source."""
        info = self.folder / f"{project.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        )
        lines = ["[objbench]"]
        for name, source in modules.items():
            module = f"{project.replace('-', '_')}_{name}"
            (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
            lines.append(f"{name} = {module}")
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def entry_points(self):
        return [
            entry
            for project in importlib.metadata.distributions(path=[str(self.folder)])
            for entry in project.entry_points
        ]


def _load(name):
    """A module beside this one, by its path: the tests are no package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


make_study = _load("made_study").make_study
_load("foreign_study")
_load("published_values")
_load("memory_objects")  # Before what imports it.
_object_server = _load("object_server").object_server
_load("made_examples")
_load("made_track")
_load("hub_server")
_load("memory_store")
_load("ray_head")


@pytest.fixture(scope="session")
def remembered_plugins(_own_cache):
    """Every installed plugin has been loaded before, so its kind and options are in the cache."""
    return load()


IN_A_NEW_PROCESS = """
import json, sys
from objbench.cli.main import main
from objbench.cli.plugin_arguments import load
codes = []
for words in json.loads(sys.argv[1]):
    try:
        codes.append(main(words))
    except SystemExit as end:
        codes.append(end.code)
print(json.dumps([codes, sorted(sys.modules)]), file=sys.stderr)
"""


class CommandLine:
    """The command line, given in an empty folder."""

    def __init__(self, folder, capsys):
        self.folder = folder
        self.capsys = capsys

    def refusal(self, words):
        """The one line with which ``words`` are refused; nothing is printed or written besides."""
        assert main(words) == 2
        printed = self.capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("objbench: error: ")
        assert printed.err.count("\n") == 1
        assert not list(self.folder.iterdir())
        return printed.err

    def codes_and_modules(self, cases):
        """The exit codes of several command lines in one new process, and all that it imported."""
        ended = subprocess.run(
            [sys.executable, "-c", IN_A_NEW_PROCESS, json.dumps(cases)],
            check=True,
            capture_output=True,
            text=True,
            cwd=self.folder,
        )
        codes, modules = json.loads(ended.stderr.splitlines()[-1])
        return codes, set(modules)


@pytest.fixture
def command_line(tmp_path, monkeypatch, capsys, remembered_plugins):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return CommandLine(folder, capsys)


@pytest.fixture
def projects(tmp_path, monkeypatch):
    folder = tmp_path / "projects"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield Projects(folder)
    for name in set(sys.modules) - before:
        if (
            getattr(sys.modules[name], "__file__", None)
            and str(folder) in sys.modules[name].__file__
        ):
            del sys.modules[name]


@pytest.fixture
def objective_source():
    """(name) -> the source of a plugin with one good objective."""
    return lambda name: OBJECTIVE.format(name=name)


class Trainers:
    """Processes that train the tiny job, or run a command, and can be killed."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("engine") / "train_tiny.py")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(self, run: Path, result: Path, env=None, die_at=None, **options) -> int:
        """Begin to train; returns the process id."""
        start = [str(run), str(result), options]
        return self._ask({"start": start, "env": env or {}, "die_at": die_at})

    def command(self, words: list[str], log: Path, number=0, after=0, delay=0.0) -> tuple[int, str]:
        """(exit code, minus the signal that ended it; what was printed); as ``train_tiny.command``."""
        return self.end(self.begin(words, log, number, after, delay), log)

    def begin(self, words: list[str], log: Path, number=0, after=0, delay=0.0) -> int:
        """Begin a command; returns the process id."""
        return self._ask({"command": [words, str(log), number, after, delay]})

    def end(self, process: int, log: Path) -> tuple[int, str]:
        """Wait for the end of a command; returns as ``command``."""
        return os.waitstatus_to_exitcode(self.wait(process)), log.read_text()

    def wait(self, process: int) -> int:
        """Wait for the end; returns 0, or the signal or exit code as ``os.wait`` gives it."""
        return self._ask({"wait": process})

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait(timeout=30)

    def _ask(self, request: dict) -> int:
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


@pytest.fixture(scope="session")
def trainers():
    server = Trainers()
    yield server
    server.close()


@pytest.fixture(scope="module")
def bucket():
    """The URL of a bucket on this machine, and an environment in which it can be used."""
    with pytest.MonkeyPatch.context() as patch, _object_server(patch) as url:
        yield url
