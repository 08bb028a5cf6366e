"""A plugin in a project of its own is installed, listed, trained and ranked: objbench unchanged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "example_plugin"


@pytest.fixture(scope="module")
def objbench(tmp_path_factory):
    """Runs the command line where the example is installed, in an empty folder."""
    folder = tmp_path_factory.mktemp("foreign")
    # Built from a copy: setuptools leaves its build folders beside the sources.
    source = shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder / "site", source], check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")

    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "objbench", *words],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
        )

    run.folder = folder
    return run


def test_it_is_listed(objbench):
    ended = objbench("plugins", "--check")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    row = next(line for line in ended.stdout.splitlines() if line.startswith("shuffled"))
    assert row.split()[:4] == ["shuffled", "objective", "objbench-shuffled", "0.3.0"]


def test_its_options_are_flags_and_checked(objbench):
    words = ["run", "--preset", "demo", "--objectives", "mlm,shuffled"]
    ended = objbench(*words, "--shuffled-rate", "2")
    assert ended.returncode == 2
    assert "options of shuffled: rate must be in (0, 1]" in ended.stderr


@pytest.mark.slow
def test_it_is_trained_and_ranked(objbench):
    words = ["--preset", "demo", "--objectives", "mlm,shuffled", "--shuffled-rate", "0.2"]
    small = ["--budget", "8-steps", "--batch", "8", "--eval-points", "1", "--device", "cpu"]
    quick = ["--suites", "toy", "--max-train-samples", "32"]
    ended = objbench("run", *words, *small, *quick, "--name", "ranked")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    page = (objbench.folder / "runs" / "ranked" / "leaderboard" / "README.md").read_text()
    assert any(line.startswith("|") and "shuffled" in line for line in page.splitlines())
