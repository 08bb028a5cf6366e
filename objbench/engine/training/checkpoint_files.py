"""Checkpoints that survive a kill at any instant and report when they are damaged.

A checkpoint is a folder ``step-<n>`` with tensors in safetensors files and a ``state.json`` that
holds everything else and the SHA-256 of every file, itself included. It is written under a
temporary name, synced and renamed; the previous one is removed only afterwards, so a complete one
always exists. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from objbench.errors import CheckpointError, one_line
from objbench.results.atomic_files import remove_folder, remove_unfinished, whole_folder

_STATE = "state.json"
_PREFIX = "step-"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run needs to continue as if it had never stopped.

    Attributes:
        step: optimizer steps taken.
        tensors: group (such as "weights") -> name -> tensor on the host.
        state: all else; JSON.
    """

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]


def write_checkpoint(folder: Path, key: str, checkpoint: Checkpoint) -> None:
    """Store ``checkpoint`` in ``folder`` as the only one there.

    Args:
        folder: of one cell; made if it is missing.
        key: the cell's key.
    """
    target = folder / f"{_PREFIX}{checkpoint.step}"
    with whole_folder(target) as unfinished:
        for group, tensors in checkpoint.tensors.items():
            save_file(_distinct(tensors), unfinished / f"{group}.safetensors")
        body = {
            "key": key,
            "step": checkpoint.step,
            "files": {path.name: _digest(path) for path in sorted(unfinished.iterdir())},
            "state": checkpoint.state,
        }
        text = json.dumps(body, allow_nan=False)
        whole = json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "body": text})
        (unfinished / _STATE).write_text(whole, encoding="utf-8")
    for path in folder.glob(f"{_PREFIX}*"):
        if path != target:
            remove_folder(path)


def remove_unfinished_steps(parent: Path) -> None:
    """Remove the ``step-<n>`` that killed runs left half written or half removed in ``parent``."""
    remove_unfinished(parent, f"{_PREFIX}*")


def read_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """The latest checkpoint in ``folder``, or None where there is none.

    Raises:
        CheckpointError: it is corrupted or truncated, or it belongs to another cell.
    """
    if not folder.is_dir():
        return None
    found = [path for path in folder.glob(f"{_PREFIX}*") if _number(path) >= 0]
    if not found:
        return None
    latest = max(found, key=_number)
    try:
        return _read(latest, key)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"checkpoint {latest} is corrupted or incomplete ({one_line(error)}); "
            "delete that folder to continue from an earlier one or from the start"
        ) from error


def _read(path: Path, key: str) -> Checkpoint:
    whole = json.loads((path / _STATE).read_text("utf-8"))
    text = whole["body"]
    if hashlib.sha256(text.encode()).hexdigest() != whole["sha256"]:
        raise ValueError(f"{_STATE} does not match its checksum")
    body = json.loads(text)
    if body["key"] != key:
        raise CheckpointError(
            f"checkpoint {path} belongs to another cell (key {body['key'][:12]}, not {key[:12]}); "
            "delete that folder or use another run folder"
        )
    tensors = {}
    for name, digest in body["files"].items():
        if _digest(path / name) != digest:
            raise ValueError(f"{name} does not match its checksum")
        tensors[name.removesuffix(".safetensors")] = load_file(path / name)
    return Checkpoint(step=body["step"], tensors=tensors, state=body["state"])


def _number(path: Path) -> int:
    digits = path.name.removeprefix(_PREFIX)
    return int(digits) if digits.isdigit() else -1


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _distinct(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors contiguous on the host, none sharing memory, as safetensors asks."""
    seen: set[int] = set()
    distinct = {}
    for name, tensor in tensors.items():
        held = tensor.detach().cpu().contiguous()
        storage = held.untyped_storage()
        whole = storage.nbytes() == held.nbytes
        if storage.data_ptr() in seen or not whole:
            held = held.clone()
        seen.add(held.untyped_storage().data_ptr())
        distinct[name] = held
    return distinct
