"""A plugin in a project of its own is installed, listed, trained and ranked: objbench unchanged."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from objbench.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "example_plugin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder, but for ``site``, where the example is installed."""
    folder = tmp_path_factory.mktemp("foreign")
    # Built from a copy: setuptools leaves its build folders beside the sources.
    source = shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "site", source], check=True, capture_output=True)
    return folder


@pytest.fixture
def installed(folder, monkeypatch):
    """It is installed in this process too."""
    monkeypatch.syspath_prepend(folder / "site")
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def test_it_is_listed(installed, capsys):
    assert main(["plugins", "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("shuffled"))
    assert row.split()[:4] == ["shuffled", "objective", "objbench-shuffled", "0.3.0"]


def test_its_options_are_flags_and_checked(installed, capsys):
    words = ["run", "--preset", "demo", "--objectives", "mlm,shuffled"]
    assert main([*words, "--shuffled-rate", "2"]) == 2
    assert "options of shuffled: rate must be in (0, 1]" in capsys.readouterr().err


@pytest.mark.slow
def test_it_is_trained_and_ranked(installed, folder, monkeypatch, capfd):
    monkeypatch.chdir(folder)
    words = ["--preset", "demo", "--objectives", "mlm,shuffled", "--shuffled-rate", "0.2"]
    small = ["--budget", "8-steps", "--batch", "8", "--eval-points", "1", "--device", "cpu"]
    quick = ["--suites", "toy", "--max-train-samples", "32"]
    # In two processes of their own, which find the plugin themselves.
    name = ["--jobs", "2", "--name", "ranked"]
    assert main(["run", *words, *small, *quick, *name]) == 0, capfd.readouterr()
    page = (folder / "runs" / "ranked" / "leaderboard" / "README.md").read_text()
    assert any(line.startswith("|") and "shuffled" in line for line in page.splitlines())
