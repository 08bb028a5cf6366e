"""Names: what folders and packages are called, where they ship, and that the map of them is true."""

import ast
import importlib
import re
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
    renamed = {"sklearn": "scikit-learn"}
    # Comes with torch where it runs, and is imported only there.
    with_torch = {"triton"}
    found = {
        (name or "").partition(".")[0]
        for folder in ("objbench", *SETUPTOOLS["package-dir"].values())
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    declared = {re.split(r"[><=]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert {renamed.get(name, name) for name in found - ours - with_torch} <= declared


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


UNMAPPED = {"__init__.py", "__pycache__", "py.typed"}


def mapped():
    """The files and folders in the first column of CONTRIBUTING's map."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)]


def test_every_module_is_in_the_map_of_contributing():
    paths = [path for path in (ROOT / "objbench").iterdir() if path.name not in UNMAPPED]
    missing = {f"{path.name}/" if path.is_dir() else path.name for path in paths} - set(mapped())
    assert not missing, f"say in CONTRIBUTING.md's map what these are for: {sorted(missing)}"


def test_the_map_of_contributing_names_nothing_twice_and_nothing_that_is_gone():
    assert len(set(mapped())) == len(mapped())
    gone = [n for n in mapped() if not (ROOT / "objbench" / n).exists() and not (ROOT / n).exists()]
    assert not gone, f"take these out of CONTRIBUTING.md's map: {gone}"


def test_the_version_is_stated_once_and_the_same():
    assert importlib.import_module("objbench").__version__ == PROJECT["project"]["version"]
