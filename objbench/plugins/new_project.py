"""A new plugin's project: the templates of ``objbench/templates`` with a name put in.

Templates are plain text in which NAME, PROJECT and the like stand between double braces; whatever
is unknown there is a bug of ours and raises.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path

from objbench.errors import ConfigError
from objbench.plugins.registration import NAME

_HOLE = re.compile(r"\{\{(\w+)\}\}")

# Template -> where it goes; holes in the places are filled too.
_FILES = {
    "pyproject.txt": "pyproject.toml",
    "readme.txt": "README.md",
    "objective.txt": "{{module}}.py",
    "test.txt": "tests/test_{{module}}.py",
}


def require_name(name: str) -> None:
    """Refuse what could not be registered or imported.

    Raises:
        ConfigError: ``name`` is no plugin's name.
    """
    if NAME.fullmatch(name) is None or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} is no name for a plugin: use lowercase letters, digits and _, a letter "
            "first, such as half_masked"
        )


def write_project(name: str, folder: Path) -> tuple[Path, ...]:
    """Make the project of an objective called ``name`` in the new folder ``folder``.

    Returns:
        The files written.

    Raises:
        ConfigError: the name will not do, the folder is there already or cannot be made.
    """
    require_name(name)
    if folder.exists() or folder.is_symlink():
        raise ConfigError(f"{folder} is there already; name another folder with --dir")
    words = {
        "name": name,
        "module": f"objbench_{name}",
        "project": f"objbench-{name.replace('_', '-')}",
        "class_name": "".join(part.capitalize() for part in name.split("_") if part),
        "folder": str(folder),
    }
    written = []
    try:
        for template, place in _FILES.items():
            path = folder / _filled(place, words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(_template(template), words), "utf-8")
            written.append(path)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}") from error
    return tuple(written)


def _template(name: str) -> str:
    return resources.files("objbench.plugins").joinpath("templates", name).read_text("utf-8")


def _filled(text: str, words: dict[str, str]) -> str:
    return _HOLE.sub(lambda hole: words[hole[1]], text)
