"""The project of a new plugin, made from the templates of ``objbench/plugins/templates``.

Templates are plain text with placeholders in double braces, such as ``{{name}}``.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

from objbench.errors import ConfigError
from objbench.plugins.registration import NAME

_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")

Kind = Literal["objective", "suite"]

# Path in the project, which may contain placeholders too -> template of each kind.
_FILES: Mapping[str, Mapping[Kind, str]] = {
    "pyproject.toml": {"objective": "pyproject.txt", "suite": "pyproject.txt"},
    "README.md": {"objective": "readme.txt", "suite": "suite_readme.txt"},
    "{{module}}.py": {"objective": "objective.txt", "suite": "suite.txt"},
    "tests/test_{{module}}.py": {"objective": "test.txt", "suite": "suite_test.txt"},
}
_DESCRIBED = {"objective": "pretraining objective", "suite": "suite"}


def require_name(name: str) -> None:
    """Refuse a name that could not be registered or imported.

    Raises:
        ConfigError: ``name`` cannot be the name of a plugin.
    """
    if NAME.fullmatch(name) is None or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a plugin: use lowercase letters, digits and _, and "
            "begin with a letter, as in half_masked"
        )


def module_of(name: str) -> str:
    """The module of the plugin ``name``, which no other that is installed may have."""
    return f"objbench_{name}"


def write_project(name: str, folder: Path, kind: Kind = "objective") -> tuple[Path, ...]:
    """Create the project of an objective or suite called ``name`` in the new folder ``folder``.

    Returns:
        The files written.

    Raises:
        ConfigError: the name is not valid, or the folder exists or cannot be written.
    """
    require_name(name)
    if folder.exists() or folder.is_symlink():
        raise ConfigError(f"{folder} already exists; name another folder with --dir")
    words = {
        "name": name,
        "module": module_of(name),
        "project": f"objbench-{name.replace('_', '-')}",
        "class_name": _class_name(name, kind),
        "folder": str(folder),
        "kind": _DESCRIBED[kind],
    }
    written = []
    try:
        for place, templates in _FILES.items():
            path = folder / _filled(place, words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(_template(templates[kind]), words), "utf-8")
            written.append(path)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}") from error
    return tuple(written)


def _class_name(name: str, kind: Kind) -> str:
    """The class of the plugin ``name``; none of Python's own words, and no other class's of its files."""
    made = "".join(part.capitalize() for part in name.split("_") if part)
    used = {word for own in _FILES.values() for word in re.findall(r"\w+", _template(own[kind]))}
    return f"{made}{kind.capitalize()}" if made in used or keyword.iskeyword(made) else made


def _template(name: str) -> str:
    return resources.files("objbench.plugins").joinpath("templates", name).read_text("utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: words[found[1]], text)
