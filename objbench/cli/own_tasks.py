"""``--tasks FILE``: every suite that takes tasks of one's own joins the study, with that file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from objbench.cli.plugin_arguments import load
from objbench.errors import ConfigError
from objbench.study.files import Layer

OPTION = "file"
"""The option of such a suite that names the file."""


def require_tasks(file: Path) -> None:
    """Refuse a file of tasks that is not there.

    Raises:
        ConfigError: it is not.
    """
    if not file.is_file():
        what = "it is no file" if file.exists() else "there is no such file"
        raise ConfigError(f"--tasks {file}: {what}; name a TOML file of tasks")


def tasks_layer(evaluation: Mapping[str, Any], file: Path) -> Layer:
    """The layer that ``--tasks`` stands for.

    Args:
        evaluation: the study's section of that name so far; its suites stay the first.
        file: the file of tasks; the suites read it.

    Raises:
        ConfigError: there is no such file, or no installed suite takes one.
    """
    require_tasks(file)
    suites = load().suites
    taking = [name for name, suite in suites.items() if getattr(suite, "takes_tasks", False)]
    if not taking:
        raise ConfigError(f"--tasks {file}: no installed suite takes tasks from a file")
    before = evaluation.get("suites") or ()
    return {
        "evaluation": {"suites": list(dict.fromkeys([*before, *taking]))},
        "options": {name: {OPTION: str(file)} for name in taking},
    }
