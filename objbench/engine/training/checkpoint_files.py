"""Checkpoints that survive a kill at any instant and report when they are damaged.

A checkpoint is a folder ``step-<n>`` with all tensors in one safetensors file and a ``state.json``
that holds everything else. It is written under a temporary name, synced and renamed; older ones are
removed only afterwards, and not the one before, which takes the place of a newest one that is
damaged. Nothing is pickled.

The SHA-256 of the tensors is that of their bytes in memory: it is taken without reading the file
again, and also tells what the disk did to them on the way.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from objbench.engine.training.older_checkpoints import is_older, older_state, older_tensors
from objbench.errors import CheckpointError, one_line
from objbench.results.atomic_files import remove_unfinished, whole_folder

STATE, TENSORS = "state.json", "tensors.safetensors"
_PREFIX = "step-"
_GROUP = "/"
_FAULTS = (OSError, ValueError, KeyError, TypeError, SafetensorError)
"""What reading a checkpoint that is corrupted or incomplete may raise."""
_log = logging.getLogger(__name__)


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


def checkpoint_folder(folder: Path, step: int) -> Path:
    """The checkpoint of ``step`` steps in ``folder``."""
    return folder / f"{_PREFIX}{step}"


def checkpoint_folders(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, whole or damaged, the latest first."""
    found = [path for path in folder.glob(f"{_PREFIX}*") if _number(path) >= 0]
    return sorted(found, key=_number, reverse=True)


def write_checkpoint(folder: Path, key: str, checkpoint: Checkpoint) -> None:
    """Store ``checkpoint`` in ``folder``, which is made if it is missing, beside those there.

    Args:
        folder: of one cell.
        key: the cell's key.
        checkpoint: what to store; nobody may change its tensors meanwhile.

    Raises:
        LeaseLost: another worker has the cell; nothing is stored.
        OSError: it cannot be written.
    """
    tensors = _flat(checkpoint.tensors)
    with whole_folder(checkpoint_folder(folder, checkpoint.step)) as unfinished:
        save_file(_distinct(tensors), unfinished / TENSORS)
        body = {
            "key": key,
            "step": checkpoint.step,
            "groups": sorted(checkpoint.tensors),
            "tensors": _digest(tensors),
            "state": checkpoint.state,
        }
        text = json.dumps(body, allow_nan=False).encode()
        (unfinished / STATE).write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def remove_unfinished_steps(parent: Path) -> None:
    """Remove the ``step-<n>`` that killed runs left half written or half removed in ``parent``."""
    remove_unfinished(parent, f"{_PREFIX}*")


def read_checkpoint(folder: Path, key: str) -> Checkpoint | None:
    """The latest checkpoint in ``folder`` that is whole, or None where there is none at all.

    Raises:
        CheckpointError: all are corrupted or truncated, or one belongs to another cell.
    """
    first = ""
    for path in checkpoint_folders(folder):
        try:
            found = _read(path, key)
        except _FAULTS as error:
            fault = f"checkpoint {path} is corrupted or incomplete ({one_line(error)})"
            first = first or fault
            continue
        if first:
            _log.warning("%s: continuing from the one before, %s", first, path.name)
        return found
    if first:
        raise CheckpointError(f"{first}; delete that folder to continue from the start")
    return None


def is_checkpoint(path: Path, key: str) -> bool:
    """Whether the folder ``path`` is a whole checkpoint of the cell ``key``; all of it is read."""
    try:
        _read(path, key)
    except (CheckpointError, *_FAULTS):
        return False
    return True


def _read(path: Path, key: str) -> Checkpoint:
    content = (path / STATE).read_bytes()
    older = is_older(content)
    digest, text = older_state(content) if older else _parts(content)
    if hashlib.sha256(text).hexdigest() != digest:
        raise ValueError(f"{STATE} does not match its checksum")
    body = json.loads(text)
    if body["key"] != key:
        raise CheckpointError(
            f"checkpoint {path} belongs to another cell (key {body['key'][:12]}, not {key[:12]}); "
            "delete that folder or use another run folder"
        )
    if older:
        return Checkpoint(body["step"], older_tensors(path, body["files"]), body["state"])
    flat = load_file(path / TENSORS)
    if _digest(flat) != body["tensors"]:
        raise ValueError(f"{TENSORS} does not match its checksum")
    tensors: dict[str, dict[str, Tensor]] = {group: {} for group in body["groups"]}
    for name, tensor in flat.items():
        group, _, own = name.partition(_GROUP)
        tensors[group][own] = tensor
    return Checkpoint(body["step"], tensors, body["state"])


def _parts(content: bytes) -> tuple[str, bytes]:
    digest, _, text = content.partition(b"\n")
    return digest.decode(), text


def _number(path: Path) -> int:
    digits = path.name.removeprefix(_PREFIX)
    return int(digits) if digits.isdigit() else -1


def _flat(tensors: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """All tensors by group and name, contiguous on the host."""
    return {
        f"{group}{_GROUP}{name}": tensor.detach().cpu().contiguous()
        for group, named in tensors.items()
        for name, tensor in named.items()
    }


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of tensors: of their names, types and shapes, and of their bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _distinct(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, none sharing memory, as safetensors asks."""
    seen: set[int] = set()
    distinct = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        whole = storage.nbytes() == tensor.nbytes
        held = tensor.clone() if storage.data_ptr() in seen or not whole else tensor
        seen.add(held.untyped_storage().data_ptr())
        distinct[name] = held
    return distinct
