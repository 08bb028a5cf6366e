"""Where a record was made, and with what: versions, machine, source commit, times."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from objbench.results.records import Provenance

_REPORTED = ("objbench", "torch", "transformers", "tokenizers", "accelerate", "datasets", "numpy")


def now() -> str:
    """The current time, UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for name in _REPORTED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def git_commit() -> str | None:
    """Commit of the checkout that objbench runs from, "+changed" if edited; None elsewhere."""
    root = Path(__file__).resolve().parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+changed" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def device_name(device: str) -> str:
    """The name a reader would know the device by, such as "AMD EPYC (2 cores)"."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    """The processor and its cores, such as "AMD EPYC (2 cores)"; needs no torch."""
    return f"{_processor()} ({os.cpu_count()} cores)"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    for line in text.splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def provenance(command: str, device: str, processes: int, started: str) -> Provenance:
    """The provenance of a record finished now."""
    import torch

    return Provenance(
        command=command,
        versions=versions(),
        device=device_name(device),
        threads=torch.get_num_threads(),
        processes=processes,
        git_commit=git_commit(),
        started=started,
        finished=now(),
    )
