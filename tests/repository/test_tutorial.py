"""The tutorial is true: its commands are run, in a project of their own, and print what it says."""

import doctest
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "objectives" / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(console|python)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(tmp_path):
    """(command) -> what it prints, for a reader with a virtual environment in an empty folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    site = tmp_path / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    shared = sysconfig.get_path("purelib")
    (site / "shared.pth").write_text(f"import site; site.addsitedir({shared!r})\n")
    script = python.with_name("objbench")
    # Guarded as pip's are: processes that are spawned run it again.
    guarded = 'if __name__ == "__main__":\n    raise SystemExit(main())\n'
    script.write_text(f"#!{python}\nfrom objbench.cli.main import main\n\n{guarded}")
    script.chmod(0o755)
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        # What the environment that the tests run in has already is not fetched again.
        "PIP_PYTHON": str(python),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "false",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    def run(command):
        ended = subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout

    run.folder = folder
    return run


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
                printed = reader(command)
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
