"""Options of Slurm's sbatch as ``--sbatch`` takes them."""

from __future__ import annotations

import re

MINUTES = 240
"""The time of a worker where none is asked for; what is not finished by then is queued again."""

_OURS = {"array", "output", "error", "open-mode", "signal", "ntasks", "ntasks-per-node", "nodes"}


def sbatch_option(text: str) -> tuple[str, str | bool]:
    """An option of sbatch from "partition=gpu", or "exclusive" for one without a value.

    Raises:
        ValueError: it is not written like one, or the starter sets it itself.
    """
    name, equals, value = text.partition("=")
    if not re.fullmatch(r"[a-z][a-z-]*", name) or (equals and not value) or not value.isprintable():
        raise ValueError(f"{text!r} is no long option of sbatch such as partition=gpu")
    if name in _OURS:
        raise ValueError(f"{name!r} is set by objbench: leave it out")
    if name in ("time", "cpus-per-task") and not re.fullmatch(r"[1-9]\d{0,6}", value):
        unit = "minutes" if name == "time" else "cores"
        raise ValueError(f"{name} is a whole number of {unit} here, such as {name}=8")
    return name, value if equals else True
