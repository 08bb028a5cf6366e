"""What a disturbed run left behind, beside what an undisturbed one did."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from objbench.results.atomic_files import is_unfinished
from objbench.results.generations import holds_generations
from objbench.results.run_folder import RunFolder, read_plan, read_records
from objbench.results.training_log import read_training_log

# What a run took, and not what it computed.
_TOOK = {"provenance", "time", "seconds", "branch_seconds", "tokens_per_second", "peak_memory"}
_OWN = ("workers.json", "text/", "slurm/", "overhead.json", "leaderboard/", ".probes/", ".lock")
"""Beginnings of the names of what one executor has and another has not, such as what workers elsewhere
need, and of what tells how long things took."""


def differences(whole: Path, disturbed: Path) -> Iterator[str]:
    """What differs between two run folders of one study, a few words each.

    Args:
        whole: of a run that nobody disturbed.
        disturbed: of one that has ended since.
    """
    expected, found = _content(whole), _content(disturbed)
    planned = {cell.id for cell in read_plan(disturbed).cells}
    if planned != {*expected}:
        yield "another plan"
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            yield f"record {name} {'differs' if name in found else 'is missing'}"
    yield from _of_files(whole, disturbed)
    yield from _of_logs(whole, disturbed)
    yield from leftovers(disturbed)


def leftovers(run: Path) -> Iterator[str]:
    """What no ended run may leave: half written files, checkpoints, leases, and a lock that is held."""
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if _is_of_no_life(path):
            continue
        if is_unfinished(path.name):
            yield f"{name} is half written"
        elif path.is_file() and name.startswith(("checkpoints/", "leases/")):
            yield f"{name} is left"
    try:
        with FileLock(run / ".lock", timeout=0):
            pass
    except Timeout:
        yield "the lock is held"


def tracebacks(log: str) -> list[str]:
    """The last lines of the tracebacks in what was printed, which no user may see.

    Left out is what stands for Slurm here, which prints its own where its job is cancelled.
    """
    found = re.findall(r"^Traceback .*\n(?: .*\n)*.*", log, re.MULTILINE)
    return [one.splitlines()[-1] for one in found if "/submitit/local/_local.py" not in one]


def numbers(value: Any) -> Any:
    """Stored values without what depends on the clock and the machine."""
    if isinstance(value, dict):
        return {name: numbers(inner) for name, inner in value.items() if name not in _TOOK}
    return [numbers(inner) for inner in value] if isinstance(value, list) else value


def _content(run: Path) -> dict[str, Any]:
    logged = map(RunFolder(run).with_log, read_records(run))
    return {record.id: numbers(record.model_dump(mode="json")) for record in logged}


def _files(run: Path) -> dict[str, Path]:
    names = {path.relative_to(run).as_posix(): path for path in run.rglob("*") if path.is_file()}
    names = {name: path for name, path in names.items() if not _is_of_no_life(path)}
    return {name: path for name, path in names.items() if not name.startswith(_OWN)}


def _is_of_no_life(path: Path) -> bool:
    """Whether a file is what a kill has left of a lease that was being removed: nobody reads it.

    A lease that is still there is found by the file that has its name.
    """
    return holds_generations(path.name) or holds_generations(path.parent.name)


def _of_files(whole: Path, disturbed: Path) -> Iterator[str]:
    expected, found = _files(whole), _files(disturbed)
    for name in sorted({*expected, *found}):
        if name not in found or name not in expected:
            yield f"{name} is {'missing' if name in expected else 'there'}"
        elif name.endswith(".safetensors") and _sha(expected[name]) != _sha(found[name]):
            yield f"{name} differs"


def _of_logs(whole: Path, disturbed: Path) -> Iterator[str]:
    for path in sorted((whole / "logs").iterdir()):
        lines = [
            [numbers(line.model_dump()) for line in read_training_log(run / "logs" / path.name)]
            for run in (whole, disturbed)
        ]
        if lines[0] != lines[1]:
            yield f"logs/{path.name} differs"


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
