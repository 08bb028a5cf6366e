"""The tutorial is true: its commands are run, in a project of their own, and print what it says."""

import contextlib
import doctest
import io
import multiprocessing
import os
import re
import shlex
import site
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from objbench.cli.main import main
from objbench.plugins.conformance import two_processes

PAGE = (Path(__file__).parents[2] / "objectives" / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(console|python)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """A reader with a virtual environment in an empty folder.

    ``objbench`` is called in this process, which has imported torch already; everything else is
    started. ``test_foreign_plugin.py`` has a foreign project in processes of their own.
    """

    def __init__(self, folder):
        self.folder = folder / "reader"
        self.folder.mkdir()
        environment = folder / "venv"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        python = environment / "bin" / "python"
        version = sysconfig.get_python_version()
        self.site = environment / "lib" / f"python{version}" / "site-packages"
        shared = sysconfig.get_path("purelib")
        (self.site / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
        self.environment = {
            **os.environ,
            "PATH": f"{python.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            # What the environment that the tests run in has already is not fetched again.
            "PIP_PYTHON": str(python),
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "false",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, command):
        """What ``command`` prints."""
        first, *words = shlex.split(command)
        printed, errors = (self._here if first == "objbench" else self._started)(command, words)
        assert "Traceback" not in errors, errors
        return printed

    def _here(self, command, words):
        out, errors = io.StringIO(), io.StringIO()
        site.addsitedir(str(self.site))
        sys.modules.pop("objbench_later", None)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            main(words)
        return out.getvalue(), errors.getvalue()

    def _started(self, command, words):
        ended = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout, ended.stderr


@pytest.fixture
def reader(tmp_path, monkeypatch):
    made = Reader(tmp_path)
    monkeypatch.chdir(made.folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    # Processes that import torch again are for other tests.
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: [0])
    fork = SimpleNamespace(get_context=lambda _: multiprocessing.get_context("fork"))
    monkeypatch.setattr(two_processes, "multiprocessing", fork)
    yield made
    sys.modules.pop("objbench_later", None)


def commands(text):
    """(command, what it prints) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


@pytest.mark.slow
def test_every_command_prints_what_the_page_says(reader):
    source = None
    for language, note, text in BLOCK.findall(PAGE):
        if language == "console":
            for command, expected in commands(text):
                printed = reader.run(command)
                same = doctest.OutputChecker().check_output(
                    expected, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
                )
                assert same, f"$ {command}\n{printed}\n-- the page says:\n{expected}"
        elif note.startswith("replaces "):
            before = source.read_text("utf-8")
            old = note.removeprefix("replaces ").strip('"')
            assert before.count(old) == 1
            source.write_text(before.replace(old, text.strip()), "utf-8")
        else:
            source = reader.folder / note
            source.write_text(text, "utf-8")
