"""What tests of several packages share: fake projects with plugins, and the made-up study.

The projects are real metadata and modules in a temporary folder; nothing is installed.
"""

import importlib.metadata
import importlib.util
import sys
import textwrap
from pathlib import Path

import pytest

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
