"""The machine as ``objbench doctor`` sees it: devices, threads, disk, cache, and the hub."""

from __future__ import annotations

import os
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from objbench.cli.diagnosis import Diagnosis
from objbench.errors import one_line
from objbench.judge.formatting import count, memory
from objbench.results.provenance import processor_name
from objbench.runs.processes import cores

LEAST_DISK, LITTLE_DISK = 2**30, 10 * 2**30
"""Bytes of free disk below which a run is likely to fail, and below which it may."""

PATIENCE = 4.0
"""Seconds that the hub has to answer."""

_BUSY = 1.5
_DRIVER = ("/dev/nvidia0", "/dev/kfd")


def devices() -> Iterator[Diagnosis]:
    """What torch computes on, each device tried with one product."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Diagnosis("torch", "fault", f"it cannot be imported: {error}", "install it again")
        return
    yield _tried(torch, "cpu", f"{processor_name()}, torch {torch.__version__}")
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        found = torch.cuda.get_device_properties(number)
        kind = "bfloat16" if found.major >= 8 else "no bfloat16 of its own"
        yield _tried(torch, f"cuda:{number}", f"{found.name}, {memory(found.total_memory)}, {kind}")
    if torch.backends.mps.is_available():
        yield _tried(torch, "mps", "the GPU of this Mac")
    if not torch.cuda.is_available() and any(Path(path).exists() for path in _DRIVER):
        built = torch.version.cuda or torch.version.hip
        yield Diagnosis(
            "gpu",
            "warning",
            f"there is a GPU's driver, but torch {torch.__version__} sees no GPU "
            f"(built for {built or 'the CPU alone'})",
            "install a build of torch for this driver: https://pytorch.org/get-started",
        )


def _tried(torch: object, device: str, what: str) -> Diagnosis:
    try:
        ones = torch.ones(8, 8, device=device)  # type: ignore[attr-defined]
        works = float((ones @ ones).sum()) == 512.0
        why = "a product of matrices is wrong"
    except (AssertionError, OSError, RuntimeError) as error:
        works, why = False, one_line(error)
    if works:
        return Diagnosis(device, "ok", what)
    return Diagnosis(device, "fault", f"{what}: {why}", "name another with --device")


def threads() -> Diagnosis:
    """Cores that may be used, torch's threads, and whether others keep the cores busy."""
    import torch

    usable = cores()
    used = torch.get_num_threads()
    text = f"{count(usable, 'core')}, torch uses {count(used, 'thread')}"
    chosen = os.environ.get("OMP_NUM_THREADS")
    if chosen is not None:
        text += f" (OMP_NUM_THREADS={chosen})"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if used > usable:
        return Diagnosis("threads", "warning", text, f"set OMP_NUM_THREADS={usable}")
    if load > _BUSY * usable:
        todo = "times measured now are too long: wait, or compare steps, tokens and FLOPs"
        return Diagnosis("threads", "warning", f"{text}; {load:.1f} processes want to run", todo)
    return Diagnosis("threads", "ok", text)


def disk(name: str, folder: Path) -> Diagnosis:
    """Room where a folder is, or will be."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = f"{there} is {'read-only' if there.is_dir() else 'a file'}"
        return Diagnosis(name, "fault", what, _elsewhere(name))
    free = shutil.disk_usage(there).free
    what = f"{folder}: {memory(free)} free"
    if free < LEAST_DISK:
        return Diagnosis(name, "fault", what, f"make room, or {_elsewhere(name)}")
    if free < LITTLE_DISK:
        return Diagnosis(name, "warning", what, "objbench prune RUN removes what is not needed")
    return Diagnosis(name, "ok", what)


def _elsewhere(name: str) -> str:
    return "name another with --cache" if name == "cache" else "run in another folder"


def cache(folder: Path) -> Diagnosis:
    """Room for the cache, and how much is in it."""
    found = disk("cache", folder)
    if found.status == "fault" or not folder.is_dir():
        return found
    texts = sum(1 for path in folder.glob("tokens/*") if path.is_dir())
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    size = sum(path.lstat().st_size for path in files)
    what = f"{found.what}; {count(texts, 'tokenized text')}, {memory(size)} in all"
    return Diagnosis(found.name, found.status, what, found.todo)


def hub(patience: float = PATIENCE) -> Diagnosis:
    """Whether the Hugging Face hub answers; never a fault, since nothing but its data needs it."""
    from huggingface_hub import constants

    address = constants.ENDPOINT
    if constants.HF_HUB_OFFLINE:
        return Diagnosis("hub", "ok", "HF_HUB_OFFLINE is set: only what is in its cache is used")
    answers: list[str] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(address, method="HEAD")
            with urllib.request.urlopen(request, timeout=patience):
                answers.append("")
        except urllib.error.HTTPError:
            answers.append("")  # It answers.
        except (OSError, ValueError, HTTPException) as error:
            answers.append(one_line(getattr(error, "reason", error)) or type(error).__name__)

    # No timeout covers the look-up of a name, so it is not waited for.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience)
    why = answers[0] if answers else f"no answer in {patience:g} seconds"
    if not why:
        return Diagnosis("hub", "ok", f"{address} answers")
    todo = "use --corpus, --tokenizer and --glue-dir with files of your own"
    return Diagnosis("hub", "warning", f"{address} is out of reach: {why}", todo)
