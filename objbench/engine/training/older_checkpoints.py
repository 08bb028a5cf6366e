"""Checkpoints as they were stored before all tensors were in one file; runs that were begun then go on.

``state.json`` was one JSON object with its text, escaped, inside another, and each group of tensors
had a file with a digest of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor


def is_older(state: bytes) -> bool:
    """Whether the content of a ``state.json`` is in that form."""
    return state.startswith(b"{")


def older_state(state: bytes) -> tuple[str, bytes]:
    """The digest of the state in hex, and its text.

    Raises:
        ValueError, KeyError, TypeError: it is malformed.
    """
    whole = json.loads(state)
    return whole["sha256"], whole["body"].encode()


def older_tensors(path: Path, files: Mapping[str, str]) -> dict[str, dict[str, Tensor]]:
    """The groups of tensors in the folder ``path``.

    Args:
        path: of the checkpoint.
        files: name -> SHA-256 in hex.

    Raises:
        ValueError: one is not what was stored; OSError, SafetensorError: it cannot be read.
    """
    tensors = {}
    for name, digest in files.items():
        with (path / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise ValueError(f"{name} does not match its checksum")
        tensors[name.removesuffix(".safetensors")] = load_file(path / name)
    return tensors
