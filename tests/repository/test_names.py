"""Names: what folders and packages are called, where they ship, and that the map of them is true."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]


@pytest.mark.parametrize("folder", ["objectives", "suites"])
def test_the_folder_name_is_refused(folder):
    # Imported under both names, every class would exist twice.
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {folder}.mlm"
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert f"objbench_{folder}, not {folder}" in ended.stderr


@pytest.mark.parametrize("folder", ["objectives", "suites"])
def test_the_mapped_name_is_the_folder(folder):
    module = importlib.import_module(f"objbench_{folder}")
    assert Path(module.__file__).parent == ROOT / folder


def test_every_package_is_listed():
    # A package that is not works in an editable install and is missing from the wheel.
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "objbench").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    listed = set(SETUPTOOLS["packages"]) - set(SETUPTOOLS["package-dir"])
    assert found == listed


def test_every_import_is_a_declared_dependency():
    ours = set(SETUPTOOLS["packages"]) | {"__future__"} | sys.stdlib_module_names
    # Pydantic requires one exact version of pydantic_core.
    renamed = {"sklearn": "scikit-learn", "pydantic_core": "pydantic"}
    # Comes with torch where it runs, and is imported only there.
    with_torch = {"triton"}
    declared = {_package(line) for line in PROJECT["project"]["dependencies"]}
    # What an extra brings is imported where it is used: all else works without.
    optional = PROJECT["project"]["optional-dependencies"]
    extras = {_package(line) for name in ("completion", "s3") for line in optional[name]}
    for statements, known in (
        (ast.walk, declared | extras),
        (lambda module: module.body, declared),
    ):
        found = {
            (name or "").partition(".")[0]
            for folder in ("objbench", *SETUPTOOLS["package-dir"].values())
            for path in (ROOT / folder).rglob("*.py")
            for node in statements(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert {renamed.get(name, name) for name in found - ours - with_torch} <= known


def _package(requirement):
    return re.split(r"[><=]", requirement)[0]


def test_plugin_folders_are_flat():
    for folder in SETUPTOOLS["package-dir"].values():
        assert not [path for path in (ROOT / folder).glob("*/*.py")]


def test_every_typed_package_says_so():
    for name in PROJECT["tool"]["mypy"]["packages"]:
        folder = SETUPTOOLS["package-dir"].get(name)
        assert (ROOT / (folder or name) / "py.typed").is_file()
        assert folder is None or (ROOT / ".typings" / name).resolve() == ROOT / folder


def test_the_public_names_are_there_and_come_without_torch():
    code = (
        "import sys, objbench; objbench.hookimpl, objbench.Suite; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    objbench = importlib.import_module("objbench")
    for name in objbench.__all__:
        assert getattr(objbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = objbench.Nothing


def mapped():
    """The files and folders in the first column of CONTRIBUTING's map."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = text.partition("| folder |")[2].partition("\n\n")[0].splitlines()
    return [name for row in rows[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def test_the_map_of_contributing_names_every_folder_once_and_nothing_that_is_gone():
    unmapped = {"__pycache__", "py.typed"}
    inside = {path for path in (ROOT / "objbench").iterdir() if path.name not in unmapped}
    beside = {ROOT / folder for folder in (*SETUPTOOLS["package-dir"].values(), "tests")}
    assert sorted(mapped()) == sorted(
        f"{path.relative_to(ROOT)}{'/' * path.is_dir()}" for path in inside | beside
    )


def test_what_contributing_names_is_there():
    named = re.findall(
        r"`((?:objbench|tests|leaderboard)/[\w./]*)`", (ROOT / "CONTRIBUTING.md").read_text()
    )
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_published_studies_are_few_files():
    """A record per file, as in a run folder, would bury the code: publish with ``--with-records``."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # A checkout may belong to somebody else, as on a build machine.
    command = [git, "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "leaderboard"]
    tracked = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    studies = {name.rpartition("/")[0] for name in tracked if name.endswith("/plan.json")}
    assert studies
    for study in studies:
        assert sum(name.startswith(f"{study}/") for name in tracked) <= 20, study


def test_no_test_is_flat_beside_the_folders_that_mirror_the_packages():
    flat = [
        path for folder in ("tests", "tests/objbench") for path in (ROOT / folder).glob("test_*")
    ]
    assert flat == []
    mirrored = {path.name for path in (ROOT / "objbench").iterdir()}
    folders = {
        path.name for path in (ROOT / "tests/objbench").iterdir() if any(path.glob("**/*.py"))
    }
    assert folders <= mirrored


def test_the_version_is_stated_once_and_the_same():
    assert importlib.import_module("objbench").__version__ == PROJECT["project"]["version"]
